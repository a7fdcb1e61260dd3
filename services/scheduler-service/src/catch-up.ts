/** What to do about a window that came: pure decisions over what is known (design section 4). */
import { parsePeriod } from '@tidemark/schedule/period';
import { parseWeekdays } from '@tidemark/schedule/weekdays';
import { opensAt } from '@tidemark/schedule/window';

export type OccurrenceState = 'Pending' | 'Started' | 'Skipped' | 'Missed';

/** One window that came, as it is stored; its `_id` is `<clusterId>:<rule>:<opensAt>`. */
export interface Occurrence {
  readonly _id: string;
  readonly clusterId: string;
  readonly rule: string;
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly startAt: Date;
  readonly state: OccurrenceState;
  readonly backupId: string | null;
  /** Why it waits, was skipped or missed. */
  readonly reason: string;
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
}

export type Step =
  /** Start the backup of this window. */
  | { readonly kind: 'start' }
  /** Nothing to do for now, and why. */
  | { readonly kind: 'wait'; readonly reason: string }
  /** The window is over: only whether a backup was started decides now. */
  | { readonly kind: 'conclude' };

export function occurrenceId(clusterId: string, rule: string, opens: Date): string {
  return `${clusterId}:${rule}:${opens.toISOString()}`;
}

/** Whether anything is still to be asked before the step is known. */
export function isOver({ closesAt }: Occurrence, now: Date, skewMs: number): boolean {
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
  if (now > occurrence.closesAt) return { kind: 'wait', reason: occurrence.reason };
  if (!strategy || strategy.days.length === 0) return { kind: 'wait', reason: 'the strategy was removed' };
  if (strategy.paused) return { kind: 'wait', reason: 'the strategy is paused' };
  if (!hasWindow(strategy, occurrence.opensAt)) return { kind: 'wait', reason: 'the strategy was changed' };
  return { kind: 'start' };
}

function hasWindow({ days, period, timeZone }: CurrentStrategy, opens: Date): boolean {
  const weekdays = parseWeekdays(days.join(','));
  const parsed = parsePeriod(period);
  return (
    parsed !== undefined && 'days' in weekdays && opensAt({ days: weekdays.days, period: parsed, timeZone }, opens)
  );
}

/** How a window that is over ended, when it started no backup: skipped for a reason, or nobody was there. */
export function concludeWithout({ reason }: Occurrence): { state: 'Skipped' | 'Missed'; reason: string } {
  return reason === ''
    ? { state: 'Missed', reason: 'no scheduler was running while the window was open' }
    : { state: 'Skipped', reason };
}
