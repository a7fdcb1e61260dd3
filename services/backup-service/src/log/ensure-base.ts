/**
 * After a log begins, a full backup is taken from which it can be replayed: it is wanted as long as there is none (log-life 4).
 *
 * B1. Whether there is one is looked up at each look; what was found is kept with the generation.
 * B2. It is asked for under a key of the generation, so that it is started once, by whichever copy and however often that is tried.
 */

import { AppError } from '@tidemark/errors/app-error';
import type { StartBackupRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { StartBackupRequest as StartBackupRequestMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { FinishedBackups } from '../finished-backups.ts';
import { log as ownLog } from '../logger.ts';
import { readRecoveryState } from '../recovery/recovery-state.ts';
import { type LogBackup, openGeneration } from './log-backup.ts';
import type { LogStore } from './log-store.ts';

/** Who asks for it, in records and audits. */
const CALLER = 'log backup';

export interface BaseDependencies {
  readonly logs: Pick<LogStore, 'apply'>;
  readonly finished: Pick<FinishedBackups, 'snapshotsSince'>;
  readonly start: (request: StartBackupRequest, context: CallContext) => Promise<unknown>;
}

/** Never throws: what fails is tried again at the next look. */
export async function ensureBase(
  { logs, finished, start }: BaseDependencies,
  log: LogBackup,
  context: CallContext,
): Promise<void> {
  const open = openGeneration(log);
  if (log.wanted !== 'on' || !open?.min || !open.max || open.baseId !== null) return;
  const clusterId = log._id;
  try {
    const min = BigInt(open.min);
    const { snapshots } = await readRecoveryState({ ...log, generations: [open] }, finished, context.signal);
    const base = snapshots.find(({ tso }) => tso >= min);
    if (base) await logs.apply(clusterId, { kind: 'based', n: open.n, baseId: base.id }, context.signal);
    else {
      const request = StartBackupRequestMessage.create({ clusterId, key: `log:${open.taskName}` });
      await start(request, { ...context, caller: CALLER, requestId: log.requestId, sees: () => true });
    }
  } catch (error) {
    // A cluster that is busy is asked again at the next look.
    const level = error instanceof AppError ? 'debug' : 'warn';
    ownLog[level]({ error, clusterId, taskName: open.taskName }, 'the full backup of a log could not be started yet');
  }
}
