import { MAX_LISTED } from '@tidemark/limits/limits';
import { askedPage } from '@tidemark/mongo/page-request';
import type { Page } from '@tidemark/mongo/pages';
import { Backup as BackupMessage, BackupMode } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  ListBackupsRequest,
  ListBackupsResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { shareReads } from '@tidemark/service-kit/shared-reads';
import type { Backup } from '../backup.ts';
import { type BackupFilter, toTokenScope } from '../backup-filter.ts';
import { fromOriginMessage, fromStateMessage, toListedMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Verification } from '../verification.ts';
import type { Dependencies } from './context.ts';

/** A page may take ten seconds, and then come the places in line of those that wait. */
const READ_MS = 15_000;

/** Verifications that are under way, by backup. */
type Active = ReadonlyMap<string, Verification>;
type Positions = Awaited<ReturnType<Dependencies['slots']['positions']>>;

/**
 * A page of backups, newest first; one beyond the end is empty. What does not fit into a message follows under a token; what cannot be
 * read is left out, and the total counts it. A page that many ask for at once is read once for all of them.
 */
export function listBackups({ store, slots, verifications, quarantines, exactTotal, now }: Dependencies) {
  const share = shareReads<{ readonly page: Page<Backup>; readonly positions: Positions; readonly active: Active }>(
    READ_MS,
  );
  return async (request: ListBackupsRequest, { signal, timeLeftMs }: CallContext): Promise<ListBackupsResponse> => {
    const filter = toFilter(request);
    const asked = askedPage(request, { scope: toTokenScope(filter), exactTotal, timeLeftMs: timeLeftMs() });
    const check = validation();
    check.add(asked.violations);
    const fits = request.withinSight || request.clusterIds.length <= MAX_LISTED;
    check.require(fits, 'clusterIds', `must be at most ${MAX_LISTED}`);
    if (fits) for (const clusterId of request.clusterIds) check.id('clusterId', clusterId);
    if (request.id !== '') check.id('backupId', request.id);
    if (request.rule !== '') check.id('rule', request.rule);
    check.finish();

    // Nobody gets the answer of somebody who was in more of a hurry.
    const patience = Math.round(Math.log2(asked.wish.withinMs));
    const same = JSON.stringify([filter, { ...asked.wish, withinMs: patience }]);
    const { page, positions, active } = await share(same, signal, async (limit) => {
      const page = await store.list(filter, asked.wish, limit);
      const verified = page.rows.filter(({ verification }) => verification?.active).map(({ _id }) => _id);
      const [positions, found] = await Promise.all([
        slots.positions(page.rows, now(), limit),
        verified.length > 0 ? verifications.find(verified, limit) : [],
      ]);
      return { page, positions, active: new Map(found.map((one) => [one._id, one])) };
    });
    const toMessage = (backup: Backup) => toListedMessage(backup, positions.get(backup._id), active.get(backup._id));
    const shown = readable(quarantines.listedBackups, page.rows, toMessage, BackupMessage);
    const messages = shown.map(({ message }) => message);
    const backups = fitting(messages, BackupMessage);
    const last = backups.length < shown.length ? shown[backups.length - 1]?.record : undefined;
    return {
      backups,
      ...asked.answer(page, last && { at: last.startTime, id: last._id, number: page.rows.indexOf(last) + 1 }),
    };
  };
}

function toFilter(request: ListBackupsRequest): BackupFilter {
  const origin = fromOriginMessage(request.origin);
  const { clusterIds, states, mode, id, rule, startedAtOrAfter, endedAtOrBefore, includeDeleted } = request;
  return {
    clusterIds,
    withinSight: request.withinSight,
    states: states.map(fromStateMessage).filter((state) => state !== undefined),
    includeDeleted,
    ...(id !== '' && { id }),
    ...(startedAtOrAfter && { startedAtOrAfter }),
    ...(endedAtOrBefore && { endedAtOrBefore }),
    ...(mode === BackupMode.BACKUP_MODE_AUTO && { mode: 'auto' as const }),
    ...(mode === BackupMode.BACKUP_MODE_MANUAL && { mode: 'manual' as const }),
    ...(origin && { origin }),
    ...(rule !== '' && { rule }),
    ...(request.damaged && { damaged: true }),
  };
}
