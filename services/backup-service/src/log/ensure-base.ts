/**
 * After a log begins, a full backup is taken from which it can be replayed: it is wanted as long as there is none (log-life 4).
 *
 * B1. Whether there is one is looked up at each look: one that was deleted or found damaged since is none any more, nor is one from before
 *     the end of what cuts the log, and one of another cluster of TiDB never was.
 * B2. It is asked for under a key of the generation and of how many were asked for and are none, so that each is started once, by
 *     whichever copy and however often that is tried.
 * B3. One that failed is followed by another after an hour; the alarm stands meanwhile.
 * B4. None is taken before the log is written behind what cuts it, wherever a file in the storage says that this ends.
 */

import { AppError } from '@tidemark/errors/app-error';
import { BackupOrigin, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  StartBackupRequest,
  StartBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { StartBackupRequest as StartBackupRequestMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { plus } from '@tidemark/task/time';
import type { FinishedBackups, GoodBackup } from '../finished-backups.ts';
import { log as ownLog } from '../logger.ts';
import { type LogBackup, type LogGeneration, openGeneration, servedFrom } from './log-backup.ts';
import type { LogStore } from './log-store.ts';

/** Who asks for it, in records and audits. */
const CALLER = 'log backup';
const MINUTE_MS = 60_000;
/** From the end of a backup that is no base to the next one. A good one may only have been looked for too early. */
const AGAIN_AFTER_MS = { good: MINUTE_MS, failed: 60 * MINUTE_MS } as const;

export interface BaseDependencies {
  readonly logs: Pick<LogStore, 'apply'>;
  readonly finished: Pick<FinishedBackups, 'newestGood'>;
  readonly start: (request: StartBackupRequest, context: CallContext) => Promise<StartBackupResponse>;
  readonly now: () => Date;
}

function isBaseOf(log: LogGeneration, { result }: Pick<GoodBackup, 'result'>): boolean {
  const { upstreamClusterId } = log;
  const isOfIt = [undefined, '0', upstreamClusterId].includes(result?.tidbClusterId);
  return BigInt(result?.tso ?? 0) >= servedFrom(log) && (upstreamClusterId === undefined || isOfIt);
}

/** Never throws: what fails is tried again at the next look. */
export async function ensureBase(
  { logs, finished, start, now }: BaseDependencies,
  log: LogBackup,
  context: CallContext,
): Promise<void> {
  const open = openGeneration(log);
  if (log.wanted !== 'on' || !open?.min || !open.max) return;
  // What cuts it ends behind all that is written: no backup of now serves anything yet (B4).
  if (servedFrom(open) > BigInt(open.max)) return;
  const clusterId = log._id;
  const { n, taskName, baseId, lostBases = 0 } = open;
  const noteLost = () => logs.apply(clusterId, { kind: 'baseLost', n, lostBases }, context.signal);
  try {
    const [newest] = await finished.newestGood([clusterId], context.signal);
    if (newest && isBaseOf(open, newest)) {
      if (baseId === null) await logs.apply(clusterId, { kind: 'based', n, baseId: newest._id }, context.signal);
      return;
    }
    // The next look asks for another.
    if (baseId !== null) return void (await noteLost());
    const key = lostBases === 0 ? `log:${taskName}` : `log:${taskName}:${lostBases}`;
    const request = StartBackupRequestMessage.create({ clusterId, key, origin: BackupOrigin.BACKUP_ORIGIN_LOG });
    const { backup } = await start(request, { ...context, caller: CALLER, requestId: log.requestId, sees: () => true });
    const isGood = backup?.state === BackupState.BACKUP_STATE_SUCCEEDED;
    const againAfterMs = AGAIN_AFTER_MS[isGood ? 'good' : 'failed'];
    if (backup?.endTime && plus(backup.endTime, againAfterMs) < now()) await noteLost();
  } catch (error) {
    // A cluster that is busy is asked again at the next look.
    const level = error instanceof AppError ? 'debug' : 'warn';
    ownLog[level]({ error, clusterId, taskName }, 'the full backup of a log could not be started yet');
  }
}
