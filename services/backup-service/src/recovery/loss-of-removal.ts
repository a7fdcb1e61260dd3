import { MAX_SNAPSHOTS_OF_LOGS } from '@tidemark/limits/limits';
import type { Backup } from '../backup.ts';
import { tsoAt } from '../snapshot-time.ts';
import type { BaseCheck } from './needed-as-base.ts';
import { readRecoveryState, toSnapshot } from './recovery-state.ts';
import { isNothing, type Loss, wouldLose } from './would-lose.ts';

const THE_FIRST = new Date(0);

/**
 * What a person's removal of a good backup would lose of what its cluster can be brought back to, judged as if nobody wanted it
 * removed yet. Undefined: nothing, as of every backup of a cluster whose log backup never ran.
 *
 * @throws AppError `unavailable`
 */
export async function lossOfRemoval(
  backup: Pick<Backup, '_id' | 'clusterId' | 'startTime' | 'result' | 'verification'>,
  { logOf, finished, now }: BaseCheck,
  signal: AbortSignal,
): Promise<Loss | undefined> {
  const log = await logOf(backup.clusterId, signal);
  const { snapshots, generations } = log
    ? await readRecoveryState(log, finished, signal)
    : { snapshots: [], generations: [] };
  if (generations.length === 0) return undefined;
  const others = snapshots.filter(({ id }) => id !== backup._id);
  const state = { snapshots: [...others, ...toSnapshot(backup)], generations };
  const { spans, lastGood } = wouldLose(state, backup._id, tsoAt(now()));
  const loss = { spans, lastGood: lastGood && !(await hasOther(backup, finished, signal)) };
  return isNothing(loss) ? undefined : loss;
}

/** Whether another good snapshot is there, also from before the logs. */
async function hasOther(
  { _id, clusterId }: Pick<Backup, '_id' | 'clusterId'>,
  finished: BaseCheck['finished'],
  signal: AbortSignal,
): Promise<boolean> {
  const all = await finished.snapshotsSince(clusterId, THE_FIRST, MAX_SNAPSHOTS_OF_LOGS, signal);
  return all.some((one) => one._id !== _id && toSnapshot(one).length > 0);
}
