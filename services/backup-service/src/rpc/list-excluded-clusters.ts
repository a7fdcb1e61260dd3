import { MAX_LISTED } from '@tidemark/limits/limits';
import type {
  ListExcludedClustersRequest,
  ListExcludedClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { hasLabels } from '@tidemark/service-kit/label-selector';
import {
  type LabelledCluster,
  mayUse,
  mayUseStorage,
  sendsCredentials,
  usableByViolations,
} from '../storage-access.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** Registered clusters that may not use a storage, or that a proposal would leave out; of one that is not there, none is. */
export function listExcludedClusters({ registry, quarantines }: Dependencies) {
  return async (
    { storageId, labels, proposal }: ListExcludedClustersRequest,
    { signal }: CallContext,
  ): Promise<ListExcludedClustersResponse> => {
    const check = validation();
    if (proposal) check.add(usableByViolations(proposal));
    check.finish();
    const storage = await registry.storages.get(storageId, signal);
    const usableBy = storage?.usableBy;
    const isForAll = !usableBy && !(storage && sendsCredentials(storage));
    if (isForAll && !proposal) return { clusterIds: [], ownerIds: [] };
    const isExcluded = (cluster: LabelledCluster) =>
      proposal
        ? mayUse(usableBy, cluster) && !mayUse(proposal, cluster)
        : storage !== undefined && !mayUseStorage(storage, cluster);
    const clusterIds: string[] = [];
    const ownerIds: string[] = [];
    for await (const batch of registry.clusters.scanLabels(signal))
      for (const cluster of batch) {
        const matches = () => hasLabels(cluster.labels, labels) && isExcluded(cluster);
        if (!quarantines.clusterLabels.read(cluster._id, matches)) continue;
        clusterIds.push(cluster._id);
        if (cluster.storageId === storageId) ownerIds.push(cluster._id);
      }
    return { clusterIds: clusterIds.sort().slice(0, MAX_LISTED), ownerIds: ownerIds.sort().slice(0, MAX_LISTED) };
  };
}
