import { plus } from '@tidemark/task/time';
import type { Backup } from '../backup.ts';
import type { FinishedBackups } from '../finished-backups.ts';
import type { LogBackup } from '../log/log-backup.ts';
import { tsoAt } from '../snapshot-time.ts';
import { needed } from './needed.ts';
import { readRecoveryState, toSnapshot } from './recovery-state.ts';
import type { RecoveryState } from './state.ts';

const DAY_MS = 86_400_000;

export interface BaseCheck {
  readonly logOf: (clusterId: string, signal: AbortSignal) => Promise<LogBackup | undefined>;
  readonly finished: Pick<FinishedBackups, 'snapshotsSince'>;
  readonly now: () => Date;
}

/**
 * Whether a point of the horizon of its cluster's log backup would be lost with a backup, judged as if nobody wanted it removed.
 *
 * @throws AppError `unavailable`
 */
export async function isNeededAsBase(
  backup: Pick<Backup, '_id' | 'clusterId' | 'startTime' | 'result' | 'verification'>,
  { logOf, finished, now }: BaseCheck,
  signal: AbortSignal,
): Promise<boolean> {
  const log = await logOf(backup.clusterId, signal);
  if (!log?.settings) return false;
  const state = await readRecoveryState(log, finished, signal);
  return isBase(backup, state, log.settings.retentionDays, now());
}

/** The oldest point that is to stay restorable, as a TSO. */
export function horizonOf(days: number, now: Date): bigint {
  return tsoAt(plus(now, -days * DAY_MS));
}

/** Whether it is of a state, in which the backup may be missing, as what is asked to go is. */
export function isBase(
  backup: Pick<Backup, '_id' | 'startTime' | 'result' | 'verification'>,
  { snapshots, generations }: RecoveryState,
  horizonDays: number,
  now: Date,
): boolean {
  const others = snapshots.filter(({ id }) => id !== backup._id);
  const from = horizonOf(horizonDays, now);
  return needed({ snapshots: [...others, ...toSnapshot(backup)], generations }, from).bases.has(backup._id);
}
