import type { Target as TargetMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  Cluster as ClusterMessage,
  Storage as StorageMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { StorageSnapshot, Target } from './backup.ts';
import type { ClusterDocument, StorageDocument } from './registry-store.ts';

const mutableOptions = (options: Target['brOptions']) => options && { ...options, filters: [...options.filters] };

export function toClusterMessage(cluster: ClusterDocument): ClusterMessage {
  return ClusterMessage.create({
    ...cluster,
    id: cluster._id,
    pd: [...cluster.pd],
    labels: { ...cluster.labels },
    brOptions: mutableOptions(cluster.brOptions),
  });
}

export function toStorageMessage(storage: StorageDocument): StorageMessage {
  return StorageMessage.create({
    id: storage._id,
    location: storage.local && { $case: 'local', value: storage.local },
    root: storage.root,
    maxConcurrent: storage.maxConcurrent,
    createTime: storage.createTime,
    updateTime: storage.updateTime,
  });
}

export function toTargetMessage({ pd, version, pool, tls, brOptions }: Target): TargetMessage {
  return { pd: [...pd], version, pool, tls, brOptions: mutableOptions(brOptions) };
}

/** The snapshot of a storage, for a worker. */
export function toSnapshotMessage({ id, local, maxConcurrent }: StorageSnapshot): StorageMessage {
  return StorageMessage.create({ id, location: { $case: 'local', value: local }, maxConcurrent });
}
