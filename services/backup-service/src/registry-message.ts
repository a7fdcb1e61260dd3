import type { Target as TargetMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  BrOptions,
  Cluster as ClusterMessage,
  Storage as StorageMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { StorageSnapshot, Target } from './backup.ts';
import { toPurposeMessage } from './cluster-purpose.ts';
import type { Bin } from './finished-backups.ts';
import { type ClusterDocument, revisionOf, type StorageDocument } from './registry-store.ts';
import { toLocationMessage } from './storage-location.ts';

const optionsMessage = (options: Target['brOptions']) =>
  options && BrOptions.create({ ...options, filters: [...options.filters], extra: { ...options.extra } });

export function toClusterMessage(cluster: ClusterDocument): ClusterMessage {
  return ClusterMessage.create({
    ...cluster,
    id: cluster._id,
    pd: [...cluster.pd],
    labels: { ...cluster.labels },
    brOptions: optionsMessage(cluster.brOptions),
    revision: BigInt(revisionOf(cluster)),
    purpose: toPurposeMessage(cluster.purpose ?? 'production'),
  });
}

/** @param bin what lies in its bin, where that was looked up */
export function toStorageMessage(storage: StorageDocument, bin?: Bin): StorageMessage {
  return StorageMessage.create({
    id: storage._id,
    ...toLocationMessage(storage),
    root: storage.root,
    maxConcurrent: storage.maxConcurrent,
    trashDays: storage.trashDays ?? 0,
    manifestKeys: [...(storage.manifestKeys ?? [])],
    gone: storage.gone ?? false,
    usableBy: storage.usableBy && {
      clusters: [...storage.usableBy.clusters],
      labels: { ...storage.usableBy.labels },
    },
    bin: bin && { backups: BigInt(bin.backups), sizeBytes: BigInt(bin.sizeBytes) },
    revision: BigInt(revisionOf(storage)),
    createTime: storage.createTime,
    updateTime: storage.updateTime,
  });
}

export function toTargetMessage({ pd, version, pool, tls, brOptions }: Target): TargetMessage {
  return { pd: [...pd], version, pool, tls, brOptions: optionsMessage(brOptions) };
}

/** The snapshot of a storage, for a worker. */
export function toSnapshotMessage({ id, maxConcurrent, ...location }: StorageSnapshot): StorageMessage {
  return StorageMessage.create({ id, maxConcurrent, ...toLocationMessage(location) });
}
