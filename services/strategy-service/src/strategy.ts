import type { FieldViolation } from '@tidemark/errors/app-error';
import { invalidArgument } from '@tidemark/errors/app-error';
import type {
  SaveStrategyRequest,
  Strategy as StrategyMessage,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { type Period, parsePeriod } from '@tidemark/schedule/period';
import { startWithin } from '@tidemark/schedule/start-offset';
import { isTimeZone } from '@tidemark/schedule/time-zone';
import { parseWeekdays, WEEKDAYS, type Weekday } from '@tidemark/schedule/weekdays';
import { nextWindow, type WindowRule } from '@tidemark/schedule/window';

/** The rule of the documented API, which knows one per cluster. */
export const DEFAULT_RULE = 'default';
export const DEFAULT_PERIOD = '0:00-1:00';

export interface PlannedWindow {
  readonly opensAt: Date;
  readonly closesAt: Date;
  readonly startAt: Date;
}

/** A strategy as it is stored. */
export interface StrategyDocument {
  /** `<clusterId>:<rule>`; neither can contain a colon. */
  readonly _id: string;
  readonly clusterId: string;
  readonly rule: string;
  readonly days: readonly Weekday[];
  readonly period: string;
  readonly timeZone: string;
  readonly paused: boolean;
  readonly nextWindow: PlannedWindow | null;
  readonly revision: number;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly updatedBy: string;
}

export function strategyId(clusterId: string, rule: string): string {
  return `${clusterId}:${rule}`;
}

/** What a save changes; absent keeps what it was. */
export interface StrategyChange {
  readonly days?: readonly Weekday[];
  readonly period?: string;
  readonly timeZone?: string;
  readonly paused?: boolean;
}

/** Reads what a request wants. @throws AppError `invalid_argument` naming every bad field as the REST body calls it */
export function toChange({ days, period, timeZone, paused }: SaveStrategyRequest): StrategyChange {
  const violations: FieldViolation[] = [];
  const weekdays = days === undefined ? undefined : parseWeekdays(days);
  if (weekdays && 'unknown' in weekdays)
    violations.push({
      field: 'strategy.backupDate',
      description: `${weekdays.unknown.map((word) => `"${word.slice(0, 40)}"`).join(', ')} is no weekday; use ${WEEKDAYS.join(', ')}`,
    });
  const parsed = period === undefined ? undefined : parsePeriod(period);
  if (period !== undefined && !parsed)
    violations.push({
      field: 'strategy.period',
      description: `"${period.slice(0, 40)}" is no window; use H:MM-H:MM such as 23:00-2:00, with 24:00 only as an end`,
    });
  if (timeZone !== undefined && !isTimeZone(timeZone))
    violations.push({
      field: 'strategy.timeZone',
      description: `"${timeZone.slice(0, 40)}" is no time zone; use an IANA name such as Europe/Berlin`,
    });
  if (violations.length > 0) throw invalidArgument(violations);
  return {
    ...(weekdays && 'days' in weekdays && { days: weekdays.days }),
    ...(parsed && { period: parsed.text }),
    ...(timeZone !== undefined && { timeZone }),
    ...(paused !== undefined && { paused }),
  };
}

export function ruleOf({ days, period, timeZone }: Pick<StrategyDocument, 'days' | 'period' | 'timeZone'>): WindowRule {
  return { days, timeZone, period: parsePeriod(period) ?? (parsePeriod(DEFAULT_PERIOD) as Period) };
}

/**
 * The next window of a strategy; none while it is paused.
 *
 * @param from the instant after which windows count
 * @param includeOpen whether one that is open at `from` does: it then starts at once, not at its offset
 */
export function plan(
  strategy: Omit<StrategyDocument, 'nextWindow'>,
  from: Date,
  includeOpen: boolean,
  spreadMs: number,
): PlannedWindow | null {
  if (strategy.paused) return null;
  const window = nextWindow(ruleOf(strategy), from, includeOpen);
  if (!window) return null;
  const startAt = startWithin(window, strategy.clusterId, strategy.rule, spreadMs);
  const opened = window.opensAt <= from;
  return { ...window, startAt: opened && startAt > from ? from : startAt };
}

export function toStrategyMessage(strategy: StrategyDocument): StrategyMessage {
  return {
    clusterId: strategy.clusterId,
    rule: strategy.rule,
    days: [...strategy.days],
    period: strategy.period,
    timeZone: strategy.timeZone,
    paused: strategy.paused,
    nextWindow: strategy.nextWindow ?? undefined,
    revision: BigInt(strategy.revision),
    updateTime: strategy.updateTime,
    updatedBy: strategy.updatedBy,
  };
}
