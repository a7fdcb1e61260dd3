import { BackupMode } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  ListBackupsRequest,
  ListBackupsResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromOriginMessage, fromStateMessage, toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

const LARGEST_PAGE = 1_000;
const LAST_PAGE = 1_000_000_000;
/** How much of the caller's time goes into page and total, so that who cannot be told the total is told why. */
const SHARE = 0.8;
const MOST_MS = 10_000;

/** A page of backups, newest first; one beyond the end is empty. */
export function listBackups({ store, turns, now }: Dependencies) {
  return async (request: ListBackupsRequest, { signal, timeLeftMs }: CallContext): Promise<ListBackupsResponse> => {
    const { page, pageSize, mode } = request;
    const check = validation();
    check.require(page >= 1 && page <= LAST_PAGE, 'page', `must be from 1 to ${LAST_PAGE}`);
    check.require(pageSize >= 1 && pageSize <= LARGEST_PAGE, 'pageSize', `must be from 1 to ${LARGEST_PAGE}`);
    for (const clusterId of request.clusterIds) check.id('clusterId', clusterId);
    if (request.id !== '') check.id('backupId', request.id);
    if (request.rule !== '') check.id('rule', request.rule);
    check.finish();

    const origin = fromOriginMessage(request.origin);
    const filter = {
      clusterIds: request.clusterIds,
      states: request.states.map(fromStateMessage).filter((state) => state !== undefined),
      includeDeleted: request.includeDeleted,
      ...(request.id !== '' && { id: request.id }),
      ...(request.startedAtOrAfter && { startedAtOrAfter: request.startedAtOrAfter }),
      ...(request.endedAtOrBefore && { endedAtOrBefore: request.endedAtOrBefore }),
      ...(mode === BackupMode.BACKUP_MODE_AUTO && { mode: 'auto' as const }),
      ...(mode === BackupMode.BACKUP_MODE_MANUAL && { mode: 'manual' as const }),
      ...(origin && { origin }),
      ...(request.rule !== '' && { rule: request.rule }),
    };
    const wish = {
      skip: (page - 1) * pageSize,
      limit: pageSize,
      withoutTotal: request.withoutTotal,
      withinMs: Math.min(SHARE * timeLeftMs(), MOST_MS),
    };
    const { backups, total } = await store.list(filter, wish, signal);
    const positions = await turns.positions(backups, now(), signal);
    return {
      backups: backups.map((backup) => toBackupMessage(backup, positions.get(backup._id))),
      total: BigInt(total ?? 0),
      totalLeftOut: total === undefined,
    };
  };
}
