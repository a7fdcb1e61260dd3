/**
 * Windows of a strategy as instants (design section 4; the rules for daylight saving are those of stack-findings 7).
 *
 * W1. Every asked day that exists in the zone has exactly one window; a day that the zone skipped has none.
 * W2. A start in a gap moves to the gap's end, one in an overlap is the first of the two.
 * W3. A window that a gap would shrink to nothing keeps its nominal length; none is lost.
 */
import type { Period } from './period.ts';
import { isoWeekday, type Weekday } from './weekdays.ts';

/** When a strategy wants backups. */
export interface WindowRule {
  readonly days: readonly Weekday[];
  readonly period: Period;
  readonly timeZone: string;
}

export interface Window {
  readonly opensAt: Date;
  readonly closesAt: Date;
}

const DAY_MINUTES = 24 * 60;
/** One skipped day and one week are the longest that two windows of a weekly rule can be apart. */
const SCANNED_DAYS = 16;

/** The window of a local date, if the date exists in the zone. */
export function windowOn({ period, timeZone }: Omit<WindowRule, 'days'>, date: Temporal.PlainDate): Window | undefined {
  const opens = at(date, period.start, timeZone);
  if (!opens.toPlainDate().equals(date)) return undefined;
  const lengthMinutes = period.end > period.start ? period.end - period.start : period.end - period.start + DAY_MINUTES;
  const closes = at(date, period.start + lengthMinutes, timeZone);
  const end = Temporal.ZonedDateTime.compare(closes, opens) > 0 ? closes : opens.add({ minutes: lengthMinutes });
  return { opensAt: new Date(opens.epochMilliseconds), closesAt: new Date(end.epochMilliseconds) };
}

/** Local time of a date; `minutes` of a day or more are on the next. */
function at(date: Temporal.PlainDate, minutes: number, timeZone: string): Temporal.ZonedDateTime {
  const day = date.add({ days: Math.floor(minutes / DAY_MINUTES) });
  const rest = minutes % DAY_MINUTES;
  const time = new Temporal.PlainTime(Math.floor(rest / 60), rest % 60);
  return day.toPlainDateTime(time).toZonedDateTime(timeZone, { disambiguation: 'compatible' });
}

/**
 * The next window after an instant, or the one that is open then.
 *
 * @param includeOpen whether a window that opened before `after` and has not closed yet counts
 */
export function nextWindow(rule: WindowRule, after: Date, includeOpen: boolean): Window | undefined {
  const wanted = rule.days.map(isoWeekday);
  if (wanted.length === 0) return undefined;
  const today = Temporal.Instant.fromEpochMilliseconds(after.getTime()).toZonedDateTimeISO(rule.timeZone).toPlainDate();
  // Yesterday's window may still be open, and so may the one before where a day was skipped.
  let date = today.subtract({ days: 2 });
  for (let scanned = 0; scanned < SCANNED_DAYS; scanned += 1, date = date.add({ days: 1 })) {
    if (!wanted.includes(date.dayOfWeek)) continue;
    const window = windowOn(rule, date);
    if (!window) continue;
    if (window.opensAt > after || (includeOpen && window.closesAt > after)) return window;
  }
  return undefined;
}

/** Whether the rule has a window that opens exactly then. */
export function opensAt(rule: WindowRule, instant: Date): boolean {
  const window = nextWindow(rule, new Date(instant.getTime() - 1), false);
  return window?.opensAt.getTime() === instant.getTime();
}
