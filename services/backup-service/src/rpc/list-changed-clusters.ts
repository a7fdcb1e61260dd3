import { ID } from '@tidemark/limits/id';
import { MAX_PAGE_SIZE, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import {
  type ListChangedClustersRequest,
  ListChangedClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { isDamaged } from '../backup.ts';
import { toDeletionMessage, toReasonMessage, toStateMessage } from '../backup-message.ts';
import type { ChangedBackup } from '../changed-backups.ts';
import { snapshotTime } from '../snapshot-time.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** What was returned last of an instant: when it changed, and its id. */
const TOKEN = new RegExp(`^(\\d{1,15})_(${ID})$`);

/**
 * The clusters of which a backup changed (one that has ended, unless others are asked for too), and these backups, as many as fit; without `after`, where to begin.
 * Where what changed at one instant does not fit, its rest follows under a token. What cannot be read is left out.
 */
export function listChangedClusters({ changes, quarantines, now }: Dependencies) {
  return async (
    { after, limit, pageToken, active }: ListChangedClustersRequest,
    { signal }: CallContext,
  ): Promise<ListChangedClustersResponse> => {
    const check = validation();
    check.require(limit >= 1 && limit <= MAX_PAGE_SIZE, 'limit', `must be from 1 to ${MAX_PAGE_SIZE}`);
    const [, at, id] = TOKEN.exec(pageToken) ?? [];
    check.require(
      pageToken === '' || id !== undefined,
      'pageToken',
      'must be the nextPageToken of the answer before, or empty',
    );
    check.finish();
    if (!after) return { clusterIds: [], backups: [], nextAfter: now(), more: false, nextPageToken: '' };
    const readably = (change: ChangedBackup) => quarantines.changedBackups.read(change._id, () => encoded(change));
    const { backups, behind, nextAfter, more } = await changes.since(
      {
        after,
        limit,
        active,
        ...(id !== undefined && { behind: { at: new Date(Number(at)), id } }),
        fitting: (found) => fitting(found, { encode: (change) => ({ finish: () => readably(change) ?? NOTHING }) }),
      },
      now(),
      signal,
    );
    const read = backups.filter((change) => readably(change) !== undefined);
    const clusterIds = [...new Set(read.map(({ clusterId }) => clusterId))];
    const nextPageToken = behind ? `${+behind.at}_${behind.id}` : '';
    return { clusterIds, backups: read.map(toMessage), nextAfter, more, nextPageToken };
  };
}

/** What a change that cannot be read takes. */
const NOTHING = new Uint8Array();

/** A change takes the room of its backup and of its cluster's id. */
function encoded(change: ChangedBackup): Uint8Array {
  const answer = { clusterIds: [change.clusterId], backups: [toMessage(change)] };
  return ListChangedClustersResponse.encode(ListChangedClustersResponse.create(answer)).finish();
}

function toMessage(change: ChangedBackup) {
  const { _id, clusterId, revision, updateTime, state, deletion, startTime, endTime, verification, storage } = change;
  const { rule, reason, result } = change;
  const good = state === 'Succeeded' && deletion.state === 'None' && !isDamaged(change);
  return {
    ...{ backupId: _id, clusterId, revision: BigInt(revision), updateTime, good, endTime: endTime ?? undefined },
    snapshotTime: good ? snapshotTime(change) : undefined,
    verified: good && verification?.counts?.state === 'Good',
    state: toStateMessage(state),
    storageId: storage.id,
    rule: rule ?? '',
    reason: reason
      ? { ...toReasonMessage(reason), detail: '', message: reason.message.slice(0, MAX_WORKER_SENTENCE) }
      : undefined,
    deletion: toDeletionMessage(deletion.state),
    startTime: good ? startTime : undefined,
    sizeBytes: good ? BigInt(result?.sizeBytes ?? 0) : 0n,
    damaged: isDamaged(change) && !['Deleted', 'Forgotten'].includes(deletion.state),
  };
}
