/** What to do about a window that came: pure decisions over what is known (architecture 4). */
import { parsePeriod } from '@tidemark/schedule/period';
import { parseWeekdays } from '@tidemark/schedule/weekdays';
import { opensAt } from '@tidemark/schedule/window';

export type OccurrenceState = 'Pending' | 'Started' | 'Skipped' | 'Missed';

/** Why a window waits, or started nothing. */
export const REASONS = {
  CLUSTER_BUSY: 'the cluster has another active backup',
  STORAGE_UNUSABLE: 'the storage cannot be used',
  CLUSTER_UNKNOWN: 'the cluster is not registered',
  START_REFUSED: 'the start was refused',
  STRATEGY_REMOVED: 'the strategy was removed',
  STRATEGY_PAUSED: 'the strategy was paused while the window was open',
  STRATEGY_CHANGED: 'the strategy was changed and has this window no longer',
  CATCH_UP: 'after an outage a cluster is backed up once, and another rule of it was chosen',
  BACKEND_AWAY: 'a service that the start needs could not be reached',
  NO_SCHEDULER: 'no scheduler was running while the window was open',
} as const;
export type ReasonCode = keyof typeof REASONS;

/** Why, as a constant and as a sentence for people. */
export interface Why {
  /** Empty while nobody has attended to it. */
  readonly code: ReasonCode | '';
  readonly reason: string;
}

/** One window that came, as it is stored; its `_id` is `<clusterId>:<rule>:<opensAt>`. */
export interface Occurrence extends Why {
  readonly _id: string;
  readonly clusterId: string;
  readonly rule: string;
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly startAt: Date;
  /** Taken up so long after `startAt` that nobody can have been there: an outage. */
  readonly late: boolean;
  /** End of the cluster's newest good backup when the window was taken up; the epoch if it had none. */
  readonly lastGoodAt: Date;
  readonly state: OccurrenceState;
  readonly backupId: string | null;
  /** When its backup is to be stopped; null when it may run on, or was stopped. */
  readonly stopAt: Date | null;
  readonly windowEnd: 'letRun' | 'stop';
  /** When a copy looks at it next, while it is pending. */
  readonly nextTryAt: Date;
  readonly decidedAt: Date | null;
  readonly createTime: Date;
}

/** What the strategy says now. */
export interface CurrentStrategy {
  readonly days: readonly string[];
  readonly period: string;
  readonly timeZone: string;
  readonly paused: boolean;
  readonly fleetPaused: boolean;
  readonly resumedAt?: Date | undefined;
}

export type Step =
  /** Start the backup of this window. */
  | { readonly kind: 'start' }
  /** Nothing to do for now, and why. */
  | ({ readonly kind: 'wait' } & Why)
  /** The window is over: only whether a backup was started decides now. */
  | { readonly kind: 'conclude' };

export function occurrenceId(clusterId: string, rule: string, opens: Date): string {
  return `${clusterId}:${rule}:${opens.toISOString()}`;
}

/** The reason in the table's words. */
export function because(code: ReasonCode): Why {
  return { code, reason: REASONS[code] };
}

/** Whether anything is still to be asked before the step is known. */
export function isOver({ closesAt }: Pick<Occurrence, 'closesAt'>, now: Date, skewMs: number): boolean {
  return now.getTime() > closesAt.getTime() + skewMs;
}

/** The next step for a pending occurrence. */
export function nextStep(
  occurrence: Occurrence,
  strategy: CurrentStrategy | undefined,
  now: Date,
  skewMs: number,
): Step {
  if (isOver(occurrence, now, skewMs)) return { kind: 'conclude' };
  if (now > occurrence.closesAt) return { kind: 'wait', code: occurrence.code, reason: occurrence.reason };
  if (!strategy || strategy.days.length === 0) return { kind: 'wait', ...because('STRATEGY_REMOVED') };
  if (strategy.paused || strategy.fleetPaused) return { kind: 'wait', ...because('STRATEGY_PAUSED') };
  // Resuming never starts a run: a window that opened before it stays without one.
  if (strategy.resumedAt && strategy.resumedAt > occurrence.opensAt)
    return { kind: 'wait', ...because('STRATEGY_PAUSED') };
  if (!hasWindow(strategy, occurrence.opensAt)) return { kind: 'wait', ...because('STRATEGY_CHANGED') };
  return { kind: 'start' };
}

function hasWindow({ days, period, timeZone }: CurrentStrategy, opens: Date): boolean {
  const weekdays = parseWeekdays(days.join(','));
  const parsed = parsePeriod(period);
  return (
    parsed !== undefined && 'days' in weekdays && opensAt({ days: weekdays.days, period: parsed, timeZone }, opens)
  );
}

/**
 * When a pending one is tried again: after `retryMs`, or halfway to its close where that is sooner, so that a short window
 * is not lost with one answer.
 *
 * @param shortestMs is waited in any case, unless `retryMs` is shorter
 */
export function nextTryAt(
  { closesAt }: Pick<Occurrence, 'closesAt'>,
  now: Date,
  retryMs: number,
  shortestMs: number,
): Date {
  const left = closesAt.getTime() - now.getTime();
  const pause = left > 0 ? Math.min(retryMs, Math.max(left / 2, shortestMs)) : retryMs;
  return new Date(now.getTime() + pause);
}

/** How a window that is over ended, when it started no backup: skipped for a reason, or nobody was there. */
export function concludeWithout({ code, reason }: Why): { readonly state: 'Skipped' | 'Missed' } & Why {
  if (!code) return { state: 'Missed', ...because('NO_SCHEDULER') };
  return { state: code === 'BACKEND_AWAY' ? 'Missed' : 'Skipped', code, reason };
}

/** What a late window knows of another of its cluster. */
export interface Sibling extends Pick<Occurrence, '_id' | 'opensAt' | 'state' | 'decidedAt' | 'code'> {
  /** A pending one may have started its backup and not have written so yet. */
  readonly hasBackup: boolean;
}

/**
 * After an outage a cluster gets at most one start, however many of its rules have an open window (architecture 4):
 * that of the window which opened last, of those that can start.
 *
 * @param siblings late occurrences of the cluster's other rules
 */
export function mayCatchUp(occurrence: Occurrence, siblings: readonly Sibling[]): boolean {
  if (!occurrence.late) return true;
  return !siblings.some((other) => {
    if (other.state === 'Started') return other.decidedAt !== null && other.decidedAt >= occurrence.startAt;
    return other.state === 'Pending' && (other.hasBackup || (CAN_START.has(other.code) && isAhead(other, occurrence)));
  });
}

/** What a pending window waits for that may pass by itself. */
const CAN_START: ReadonlySet<Sibling['code']> = new Set(['', 'CLUSTER_BUSY', 'BACKEND_AWAY', 'CATCH_UP']);

function isAhead(one: Pick<Occurrence, '_id' | 'opensAt'>, other: Occurrence): boolean {
  const by = one.opensAt.getTime() - other.opensAt.getTime();
  return by === 0 ? one._id < other._id : by > 0;
}
