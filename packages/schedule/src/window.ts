/**
 * Windows of a strategy as instants (architecture 4; the rules for daylight saving are those of stack-findings 7).
 *
 * W1. Every asked day that exists in the zone has exactly one window; a day that the zone skipped has none.
 * W2. A start or end in a gap moves by the length of the gap (also into the next day, as in America/Nuuk, which skips
 *     the last hour of a day); one in an overlap is the first of the two.
 * W3. A window that a gap would shrink to nothing keeps its nominal length; none is lost.
 * W4. A window closes when the next day's opens, at the latest: none overlaps another of its rule.
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
/** From the day before yesterday to today in two weeks: the next window of a weekly rule when the zone skips its day. */
const SCANNED_DAYS = 17;

/** How many minutes a window has where no clock changes: 1 to 1440. */
export function usualMinutes({ start, end }: Period): number {
  return end > start ? end - start : end - start + DAY_MINUTES;
}

/** The window of a local date, if the date exists in the zone. */
export function windowOn({ period, timeZone }: Omit<WindowRule, 'days'>, date: Temporal.PlainDate): Window | undefined {
  if (!date.toZonedDateTime(timeZone).toPlainDate().equals(date)) return undefined;
  const minutes = usualMinutes(period);
  const opens = at(date, period.start, timeZone);
  const closes = at(date, period.start + minutes, timeZone);
  const end = closes > opens ? closes : opens + minutes * 60_000;
  return {
    opensAt: new Date(opens),
    closesAt: new Date(Math.min(end, at(date, period.start + DAY_MINUTES, timeZone))),
  };
}

/** Local time of a date in milliseconds since 1970; `minutes` of a day or more are on the next. */
function at(date: Temporal.PlainDate, minutes: number, timeZone: string): number {
  const day = date.add({ days: Math.floor(minutes / DAY_MINUTES) });
  const rest = minutes % DAY_MINUTES;
  const time = new Temporal.PlainTime(Math.floor(rest / 60), rest % 60);
  return day.toPlainDateTime(time).toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochMilliseconds;
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
