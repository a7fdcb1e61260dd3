import {
  SearchHit,
  SearchKind,
  type SearchRequest,
  type SearchResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { type Quarantine, readable } from '@tidemark/service-kit/quarantine';
import { bestOf, toBackupHit, toClusterHit, toRestoreHit, toStorageHit } from '../search-hits.ts';
import type { Dependencies } from './context.ts';

/** Clusters, storages, backups and restores whose id begins with a text, as far as the caller may see them. What cannot be read is left out. */
export function search({ found, quarantines }: Dependencies) {
  return async ({ text, clusterIds, kinds }: SearchRequest, { signal }: CallContext): Promise<SearchResponse> => {
    const asked = new Set(clusterIds);
    const sees = (clusterId: string) => asked.size === 0 || asked.has(clusterId);
    const wants = (kind: SearchKind) => kinds.includes(kind);
    const hitsOf = <T extends { readonly _id: string }>(
      quarantine: Quarantine,
      records: readonly T[],
      toHit: (record: T, text: string) => SearchHit,
      isSeen: (record: T) => boolean = () => true,
    ) => {
      const shown = readable(quarantine, records, (record) => toHit(record, text), SearchHit);
      return bestOf(shown.filter(({ record }) => isSeen(record)).map(({ message }) => message));
    };

    const [clusters, storages, runs] = await Promise.all([
      wants(SearchKind.SEARCH_KIND_CLUSTER) ? found.clusters(text, clusterIds, signal) : [],
      wants(SearchKind.SEARCH_KIND_STORAGE) ? found.storages(text, signal) : [],
      found.runs(text, signal),
    ]);
    const parts = [
      hitsOf(quarantines.foundClusters, clusters, toClusterHit),
      hitsOf(quarantines.foundStorages, storages, toStorageHit),
      hitsOf(quarantines.foundBackups, runs.backups, toBackupHit, ({ clusterId }) => sees(clusterId)),
      hitsOf(
        quarantines.foundRestores,
        runs.restores,
        toRestoreHit,
        ({ source, target }) => sees(source.clusterId) && sees(target.clusterId),
      ),
    ];
    return {
      hits: parts.flatMap(({ hits }) => hits),
      more: runs.isCut || parts.some(({ more }) => more),
      incomplete: [],
    };
  };
}
