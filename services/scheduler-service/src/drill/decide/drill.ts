/** The drill of a cluster, and when its windows come; pure. */
import { parsePeriod } from '@tidemark/schedule/period';
import type { Weekday } from '@tidemark/schedule/weekdays';
import { nextWindow, type Window } from '@tidemark/schedule/window';
import type { SecretsSource } from '../../notification/decide/receiver.ts';

/** Which of the good backups of the cluster is restored, or that a moment of its log is. */
export type DrillChoice = 'newest' | 'random' | 'pointInTime';

/** Who empties the target before each run. */
export interface EmptyHook {
  /** Empty: it is WEBHOOK_URL of the secrets. */
  readonly url: string;
  readonly secrets: SecretsSource;
}

/** What people say of a drill. */
export interface DrillSettings {
  readonly targetClusterId: string;
  /** None: only when somebody asks for a run. */
  readonly days: readonly Weekday[];
  readonly period: string;
  readonly timeZone: string;
  readonly paused: boolean;
  readonly choose: DrillChoice;
  /** Null: people empty the target. */
  readonly emptyHook: EmptyHook | null;
}

/** A drill as it is stored; its `_id` is its cluster. */
export interface Drill extends DrillSettings {
  readonly _id: string;
  /** Null where no window comes. */
  readonly nextWindow: Window | null;
  readonly revision: number;
  /** The call that saved it last, by which its repeat is known. */
  readonly savedIn: string;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly updatedBy: string;
}

type Schedule = Pick<DrillSettings, 'days' | 'period' | 'timeZone' | 'paused'>;

/** The next window that opens after an instant. */
export function windowAfter({ days, period, timeZone, paused }: Schedule, after: Date): Window | null {
  const parsed = parsePeriod(period);
  if (paused || !parsed) return null;
  return nextWindow({ days, period: parsed, timeZone }, after, false) ?? null;
}

/**
 * The next window after a save: the one that was planned stays while days, hours and zone do, so that one which is due and was not taken
 * up is not lost. Otherwise only windows that open from now on count: a save starts nothing.
 */
export function windowAfterSave(before: Drill | undefined, after: Schedule, now: Date): Window | null {
  const isSame =
    before !== undefined &&
    before.period === after.period &&
    before.timeZone === after.timeZone &&
    before.days.join() === after.days.join();
  if (isSame && before.nextWindow && !after.paused) return before.nextWindow;
  return windowAfter(after, now);
}
