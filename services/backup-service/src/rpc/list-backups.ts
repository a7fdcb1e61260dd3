import { MAX_LISTED, MAX_PAGE, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { Backup as BackupMessage, BackupMode } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  ListBackupsRequest,
  ListBackupsResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import type { Backup } from '../backup.ts';
import type { BackupFilter } from '../backup-filter.ts';
import { fromOriginMessage, fromStateMessage, toListedMessage } from '../backup-message.ts';
import type { Position } from '../backup-pages.ts';
import { readPageToken, toPageToken } from '../page-token.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** Where older callers go on with a page that did not fit: how many of it were told, and the start and id of the last one. */
const REST_TOKEN = /^(\d{1,3})_(\d{1,15})_([A-Za-z0-9_-]{1,64})$/;
/** How much of the caller's time goes into page and total. */
const SHARE = 0.7;
const MOST_MS = 10_000;

/**
 * A page of backups, newest first; one beyond the end is empty. What does not fit into a message follows under a token; what cannot be
 * read is left out, and the total counts it.
 */
export function listBackups({ store, slots, quarantines, exactTotal, now }: Dependencies) {
  return async (request: ListBackupsRequest, { signal, timeLeftMs }: CallContext): Promise<ListBackupsResponse> => {
    const { page, pageSize, pageToken } = request;
    const filter = toFilter(request);
    const [, told, startedAt, lastId] = REST_TOKEN.exec(pageToken) ?? [];
    const rest = lastId !== undefined && { before: 0, at: new Date(Number(startedAt)), id: lastId };
    const after = rest || (pageToken === '' ? undefined : readPageToken(pageToken, filter));
    const check = validation();
    if (!after) check.require(page >= 1 && page <= MAX_PAGE, 'page', `must be from 1 to ${MAX_PAGE}`);
    check.require(pageSize >= 1 && pageSize <= MAX_PAGE_SIZE, 'pageSize', `must be from 1 to ${MAX_PAGE_SIZE}`);
    const fits = request.clusterIds.length <= MAX_LISTED;
    check.require(fits, 'clusterIds', `must be at most ${MAX_LISTED}`);
    if (fits) for (const clusterId of request.clusterIds) check.id('clusterId', clusterId);
    check.require(
      pageToken === '' || (after !== undefined && (!rest || Number(told) < pageSize)),
      'pageToken',
      'must be the whole token of an answer to the same list with the same filters, or be left out',
    );
    if (request.id !== '') check.id('backupId', request.id);
    if (request.rule !== '') check.id('rule', request.rule);
    check.finish();

    const wish = {
      skip: after ? 0 : (page - 1) * pageSize,
      limit: pageSize - Number(told ?? 0),
      ...(after && { after }),
      mayBePartial: after ? !rest : request.withoutTotal && page === 1,
      withoutTotal: request.withoutTotal || rest !== false,
      exactTotal,
      withinMs: Math.min(SHARE * timeLeftMs(), MOST_MS),
    };
    const { backups, total: counted, isAtLeast, next } = await store.list(filter, wish, signal);
    const total = rest ? undefined : counted;
    const positions = await slots.positions(backups, now(), signal);
    const toMessage = (backup: Backup) => toListedMessage(backup, positions.get(backup._id));
    const rows = readable(quarantines.listedBackups, backups, toMessage, BackupMessage);
    const messages = rows.map(({ message }) => message);
    const fit = fitting(messages, BackupMessage);
    const last = fit.length < rows.length ? rows[fit.length - 1]?.record : undefined;
    const here = last ? backups.indexOf(last) + 1 : 0;
    const offset = (after?.before ?? 0) + wish.skip;
    const following: Position | undefined = last ? { before: offset + here, at: last.startTime, id: last._id } : next;
    return {
      backups: fit,
      nextPageToken: last ? `${Number(told ?? 0) + here}_${+last.startTime}_${last._id}` : '',
      followingPageToken: following && !rest ? toPageToken(following, filter) : '',
      total: BigInt(total ?? 0),
      totalLeftOut: total === undefined,
      totalIsAtLeast: isAtLeast,
      offset: BigInt(after?.before ?? 0),
    };
  };
}

function toFilter(request: ListBackupsRequest): BackupFilter {
  const origin = fromOriginMessage(request.origin);
  const { clusterIds, states, mode, id, rule, startedAtOrAfter, endedAtOrBefore, includeDeleted } = request;
  return {
    clusterIds,
    states: states.map(fromStateMessage).filter((state) => state !== undefined),
    includeDeleted,
    ...(id !== '' && { id }),
    ...(startedAtOrAfter && { startedAtOrAfter }),
    ...(endedAtOrBefore && { endedAtOrBefore }),
    ...(mode === BackupMode.BACKUP_MODE_AUTO && { mode: 'auto' as const }),
    ...(mode === BackupMode.BACKUP_MODE_MANUAL && { mode: 'manual' as const }),
    ...(origin && { origin }),
    ...(rule !== '' && { rule }),
  };
}
