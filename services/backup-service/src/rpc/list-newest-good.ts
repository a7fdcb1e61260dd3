import type {
  ListNewestGoodRequest,
  ListNewestGoodResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

const MOST_CLUSTERS = 1_000;

/** The newest good backup of each cluster that has one. */
export function listNewestGood({ finished }: Dependencies) {
  return async ({ clusterIds }: ListNewestGoodRequest, { signal }: CallContext): Promise<ListNewestGoodResponse> => {
    const check = validation();
    check.require(clusterIds.length <= MOST_CLUSTERS, 'clusterIds', `must be at most ${MOST_CLUSTERS}`);
    for (const clusterId of clusterIds.slice(0, MOST_CLUSTERS)) check.id('clusterId', clusterId);
    check.finish();
    const found = await finished.newestGood([...new Set(clusterIds)], signal);
    return {
      backups: found.map(({ _id, clusterId, startTime, endTime }) => ({
        clusterId,
        backupId: _id,
        startTime,
        endTime: endTime ?? undefined,
      })),
    };
  };
}
