import type {
  ListChangedClustersRequest,
  ListChangedClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { ChangedBackup } from '../finished-backups.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

const LARGEST_LIMIT = 1_000;

/** The clusters of which a finished backup changed, and these backups; without `after`, where to begin. */
export function listChangedClusters({ finished, now }: Dependencies) {
  return async (
    { after, limit }: ListChangedClustersRequest,
    { signal }: CallContext,
  ): Promise<ListChangedClustersResponse> => {
    const check = validation();
    check.require(limit >= 1 && limit <= LARGEST_LIMIT, 'limit', `must be from 1 to ${LARGEST_LIMIT}`);
    check.finish();
    if (!after) return { clusterIds: [], backups: [], nextAfter: now(), more: false };
    const { backups, ...next } = await finished.changedBackups(after, limit, now(), signal);
    const clusterIds = [...new Set(backups.map(({ clusterId }) => clusterId))];
    return { clusterIds, backups: backups.map(toMessage), ...next };
  };
}

function toMessage({ _id, clusterId, revision, updateTime, state, deletion, endTime }: ChangedBackup) {
  const good = state === 'Succeeded' && deletion.state === 'None';
  return { backupId: _id, clusterId, revision: BigInt(revision), updateTime, good, endTime: endTime ?? undefined };
}
