import type {
  ListChangedClustersRequest,
  ListChangedClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

const LARGEST_LIMIT = 1_000;

/** The clusters of which a finished backup changed; without `after`, where to begin. */
export function listChangedClusters({ finished, now }: Dependencies) {
  return async (
    { after, limit }: ListChangedClustersRequest,
    { signal }: CallContext,
  ): Promise<ListChangedClustersResponse> => {
    const check = validation();
    check.require(limit >= 1 && limit <= LARGEST_LIMIT, 'limit', `must be from 1 to ${LARGEST_LIMIT}`);
    check.finish();
    if (!after) return { clusterIds: [], nextAfter: now(), more: false };
    const { clusterIds, nextAfter, more } = await finished.changedClusters(after, limit, now(), signal);
    return { clusterIds: [...clusterIds], nextAfter, more };
  };
}
