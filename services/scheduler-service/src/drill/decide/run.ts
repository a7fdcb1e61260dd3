/**
 * What becomes of a window of a drill: pure decisions over its record.
 *
 * DR1. A window is drilled once: the run has the id of its window, and its restore the key of the run, whoever starts it and however often.
 * DR2. Any copy of the scheduler goes on where another stopped: what comes next is in the record alone, and each step is repeated harmlessly.
 * DR3. One copy at a time works on a run, under a lease that it takes by compare-and-set; nothing that it asks for is begun behind the lease.
 * DR4. Two runs never have one target at once: a run takes it before the hook is asked, and gives it back once it is decided.
 * DR5. A start is announced in the record before it is asked for. From then on only backup-service ends the wait: with the restore, or by saying
 *      after the close of the window that none can come any more.
 * DR6. No drill begins while a backup waits for the storage that it would read.
 * DR7. A run is proven only by a restore that succeeded with the checksums of its backup.
 * DR8. What a run chooses is a function of its id and of what can be restored: a step that is repeated, wherever, chooses the same.
 */
import { createHash } from 'node:crypto';
import type { Drill, DrillChoice } from './drill.ts';

export type DrillRunState = 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Skipped' | 'Missed';

/** Why a run waits, or how it ended. */
export const DRILL_REASONS = {
  NO_BACKUP: 'the cluster has no good backup',
  NO_POINT: 'no log of the cluster leads to a moment before the run',
  TARGET_BUSY: 'the target is in use',
  TARGET_REFUSED: 'drills may not restore into the target',
  BACKUPS_WAIT: 'backups wait for the storage that the drill would read',
  PLAN_BLOCKED: 'the plan of the restore is blocked',
  START_REFUSED: 'the restore was refused',
  HOOK_AT_WORK: 'the hook is emptying the target',
  HOOK_FAILED: 'the hook that empties the target failed',
  CLUSTER_GONE: 'the cluster is registered no longer',
  DRILL_REMOVED: 'the drill was removed',
  DRILL_PAUSED: 'the drill was paused while the window was open',
  DRILL_CHANGED: 'the drill has another target now',
  BACKEND_AWAY: 'a service that the drill needs could not be reached',
  NO_SCHEDULER: 'no scheduler was running while the window was open',
  RESTORE_FAILED: 'the restore failed',
  RESTORE_CANCELED: 'the restore was canceled',
  RESTORE_GONE: 'the record of the restore is gone',
  CHECKSUMS_UNPROVEN: 'the restore succeeded, and its checksums were not all compared',
} as const;
export type DrillReasonCode = keyof typeof DRILL_REASONS;

export interface DrillWhy {
  /** Empty while nobody has attended to it, and after a success. */
  readonly code: DrillReasonCode | '';
  readonly reason: string;
}

/** One window of a drill that came, or one run that somebody asked for, as it is stored. */
export interface DrillRun extends DrillWhy {
  /** As `windowRunId` or `askedRunId` make it. */
  readonly _id: string;
  readonly clusterId: string;
  readonly targetClusterId: string;
  readonly choose: DrillChoice;
  readonly byHand: boolean;
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly state: DrillRunState;
  readonly backupId: string | null;
  readonly backupTime: Date | null;
  /** The moment that is restored; null where a backup alone is, and absent in records of earlier versions. */
  readonly pointAt?: Date | null;
  /** When the hook had emptied the target. */
  readonly emptiedAt: Date | null;
  /** Whether a start was announced (DR5). */
  readonly announced: boolean;
  readonly restoreId: string | null;
  readonly startTime: Date | null;
  readonly endTime: Date | null;
  /** From the acceptance of the restore to its end; 0 until then. */
  readonly seconds: number;
  /** When a copy looks at it next; while one has it, the end of its lease. */
  readonly nextTryAt: Date;
  readonly decidedAt: Date | null;
  readonly createTime: Date;
  readonly revision: number;
}

export type DrillStep =
  | { readonly kind: 'choose' }
  /** Ask the hook to empty the target. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'announce' }
  | { readonly kind: 'start' }
  /** See how the restore goes. */
  | { readonly kind: 'look' }
  /** The window has closed, and is left open a moment longer. */
  | { readonly kind: 'wait' }
  /** It is over without a restore. */
  | ({ readonly kind: 'conclude'; readonly state: 'Skipped' | 'Missed' } & DrillWhy);

export function windowRunId(clusterId: string, opensAt: Date): string {
  return `${clusterId}:${opensAt.toISOString()}`;
}

/** A run that has just come. */
export function freshRun(
  { _id: clusterId, targetClusterId, choose }: Pick<Drill, '_id' | 'targetClusterId' | 'choose'>,
  window: { readonly id: string; readonly opensAt: Date; readonly closesAt: Date; readonly byHand: boolean },
  now: Date,
): DrillRun {
  const { id, opensAt, closesAt, byHand } = window;
  return {
    ...{ _id: id, clusterId, targetClusterId, choose, byHand, opensAt, closesAt },
    ...{ state: 'Pending', code: '', reason: '', backupId: null, backupTime: null, pointAt: null, emptiedAt: null },
    ...{ announced: false, restoreId: null, startTime: null, endTime: null, seconds: 0 },
    ...{ nextTryAt: now, decidedAt: null, createTime: now, revision: 1 },
  };
}

export function isDecided({ state }: Pick<DrillRun, 'state'>): boolean {
  return state !== 'Pending' && state !== 'Running';
}

/** What comes next of a run that is not decided, by the drill as it is now. */
export function nextDrillStep(run: DrillRun, drill: Drill | undefined, now: Date, skewMs: number): DrillStep {
  if (run.state === 'Running') return { kind: 'look' };
  if (run.announced) return { kind: 'start' };
  if (now.getTime() > run.closesAt.getTime() + skewMs) return { kind: 'conclude', ...withoutRestore(run) };
  if (!drill) return skip('DRILL_REMOVED');
  if (drill.paused && !run.byHand) return skip('DRILL_PAUSED');
  if (drill.targetClusterId !== run.targetClusterId) return skip('DRILL_CHANGED');
  if (now > run.closesAt) return { kind: 'wait' };
  if (run.backupId === null && !run.pointAt) return { kind: 'choose' };
  if (drill.emptyHook && run.emptiedAt === null) return { kind: 'empty' };
  return { kind: 'announce' };
}

function skip(code: DrillReasonCode): DrillStep {
  return { kind: 'conclude', state: 'Skipped', ...drillWhy(code) };
}

/** How a window that is over without a restore ended: for a reason, or nobody was there. */
export function withoutRestore({ code, reason }: DrillWhy): { readonly state: 'Skipped' | 'Missed' } & DrillWhy {
  if (code === '') return { state: 'Missed', ...drillWhy('NO_SCHEDULER') };
  return { state: code === 'BACKEND_AWAY' ? 'Missed' : 'Skipped', code, reason };
}

/** The reason in the table's words, and more of it where that is known. */
export function drillWhy(code: DrillReasonCode, more = ''): DrillWhy {
  return { code, reason: more === '' ? DRILL_REASONS[code] : `${DRILL_REASONS[code]}: ${more}` };
}

/** A restore as far as it counts for a drill. */
export interface RestoreLook {
  readonly state: 'Open' | 'Succeeded' | 'Failed' | 'Canceled' | 'Gone';
  readonly isProven: boolean;
  readonly reason: string;
  readonly startTime: Date | undefined;
  readonly endTime: Date | undefined;
}

/** The run after a look at its restore. */
export function afterLook(run: DrillRun, look: RestoreLook, now: Date): DrillRun {
  if (look.state === 'Open') return { ...run, startTime: look.startTime ?? run.startTime, code: '', reason: '' };
  const startTime = look.startTime ?? run.startTime;
  const endTime = look.endTime ?? null;
  const seconds = startTime && endTime ? (endTime.getTime() - startTime.getTime()) / 1_000 : 0;
  const ended = { ...run, startTime, endTime, seconds, decidedAt: now };
  switch (look.state) {
    case 'Succeeded':
      return look.isProven
        ? { ...ended, state: 'Succeeded', code: '', reason: '' }
        : { ...ended, state: 'Failed', ...drillWhy('CHECKSUMS_UNPROVEN') };
    case 'Failed':
      return { ...ended, state: 'Failed', ...drillWhy('RESTORE_FAILED', look.reason) };
    case 'Canceled':
      return { ...ended, state: 'Failed', ...drillWhy('RESTORE_CANCELED', look.reason) };
    case 'Gone':
      return { ...ended, state: 'Failed', ...drillWhy('RESTORE_GONE') };
  }
}

/** A good backup of a cluster. */
export interface Candidate {
  readonly backupId: string;
  readonly time: Date | null;
}

/** Moments of a log, between two. */
export interface RestorableRange {
  readonly from: Date;
  readonly to: Date;
}

/** From 0 to below 1, by the id of a run alone (DR8). */
function chanceOf({ _id }: Pick<DrillRun, '_id'>): number {
  return createHash('sha256').update(_id).digest().readUInt32BE() / 2 ** 32;
}

/**
 * The backup that a run restores.
 *
 * @param candidates good ones, the newest first
 */
export function chooseBackup(
  run: Pick<DrillRun, '_id' | 'choose'>,
  candidates: readonly Candidate[],
): Candidate | undefined {
  return run.choose === 'random' ? candidates[Math.floor(chanceOf(run) * candidates.length)] : candidates[0];
}

/** The moment that a run restores: any before it to which a log leads, to the millisecond, each as likely as the others. */
export function choosePoint(
  run: Pick<DrillRun, '_id' | 'opensAt'>,
  ranges: readonly RestorableRange[],
): Date | undefined {
  // Its first millisecond holds what came before the snapshot that serves it, too.
  const spans = ranges
    .map(({ from, to }) => ({ from: +from + 1, to: Math.min(+to, +run.opensAt) }))
    .filter(({ from, to }) => from <= to)
    .sort((one, other) => one.from - other.from);
  const lengthOf = ({ from, to }: { readonly from: number; readonly to: number }) => to - from + 1;
  let left = Math.floor(chanceOf(run) * spans.reduce((sum, span) => sum + lengthOf(span), 0));
  for (const span of spans) {
    if (left < lengthOf(span)) return new Date(span.from + left);
    left -= lengthOf(span);
  }
  return undefined;
}
