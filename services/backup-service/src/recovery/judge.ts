/**
 * Whether a step is still right when it is written. No plan is believed: each step is judged by what is known then (P5).
 */
import { type LogView, planLogs, type Truncation } from './log-plan.ts';
import { type PlanView, plan } from './plan.ts';
import { asNotRemoved, type Generation, type RecoveryState } from './state.ts';
import { isAcknowledged, isNothing, wouldLose } from './would-lose.ts';

/** Whether retention may ask for the removal of a snapshot. */
export function mayAskRemoval(state: RecoveryState, id: string, view: PlanView): boolean {
  return plan(state, view).deleteSnapshots.includes(id);
}

/**
 * Why a removal that retention asked for is taken back when a worker would begin with it, judged as if nobody had asked (P4).
 * None: it may begin.
 */
export function whyTakeBack(state: RecoveryState, id: string, view: PlanView): readonly string[] {
  const snapshots = state.snapshots.map((one) => (one.id === id ? asNotRemoved(one) : one));
  return plan({ ...state, snapshots }, view).keepReasons.get(id) ?? [];
}

/** Whether a log may be truncated as was planned. */
export function mayTruncate(state: RecoveryState, { generation, until }: Truncation, view: LogView): boolean {
  return planLogs(state, view).truncate.some((one) => one.generation === generation && one.until >= until);
}

/** The log as a truncation of it begins: the promise shrinks before any file goes (P6). */
export function beginTruncation(generation: Generation, until: bigint): Generation {
  const min = generation.min === null || generation.min < until ? until : generation.min;
  return { ...generation, min, truncating: { until } };
}

export function mayRemoveGeneration(state: RecoveryState, n: number, view: LogView): boolean {
  return planLogs(state, view).removeGenerations.includes(n);
}

/** Whether a restore may begin to read a log (P7). */
export function mayHold({ truncating }: Generation): boolean {
  return truncating === null;
}

/**
 * Whether a person's removal of a snapshot loses what the person was told, and nothing else (P10).
 *
 * @param acknowledged of what was told; undefined: nothing was
 * @param now as a TSO
 */
export function mayRemove(state: RecoveryState, id: string, acknowledged: string | undefined, now: bigint): boolean {
  const loss = wouldLose(state, id, now);
  return isNothing(loss) || isAcknowledged(loss, acknowledged);
}
