/** What a strategy will do, for people: the windows that come, in local time, and what a change of clocks does to them. */
import { nextWindow, usualMinutes, type Window, type WindowRule, windowOn } from './window.ts';

/** No change of clocks this far outside a window can touch it. */
const REACH = { hours: 26 };

/** The next `count` windows after an instant. @param includeOpen whether one that is open at `from` is the first */
export function upcomingWindows(rule: WindowRule, from: Date, count: number, includeOpen: boolean): Window[] {
  const windows: Window[] = [];
  let window = nextWindow(rule, from, includeOpen);
  while (window && windows.length < count) {
    windows.push(window);
    window = nextWindow(rule, window.opensAt, false);
  }
  return windows;
}

/** Local time to the minute with its offset, such as 2026-03-08T03:30-04:00. */
export function localText(instant: Date, timeZone: string): string {
  return zoned(instant, timeZone).toString({ smallestUnit: 'minute', timeZoneName: 'never' });
}

/**
 * What changes of clocks do to a window of the rule: one sentence for each that touches it, so none for nearly all.
 * A day that the zone skips has no window, and so no note.
 */
export function windowNotes(rule: Omit<WindowRule, 'days'>, window: Window): string[] {
  const opens = zoned(window.opensAt, rule.timeZone);
  const closes = zoned(window.closesAt, rule.timeZone);
  const date = dateOf(rule, window, opens);
  if (!date) return [];
  const usual = usualMinutes(rule.period);
  const start = date.toPlainDateTime().add({ minutes: rule.period.start });
  const placed = { opens, closes, start, end: start.add({ minutes: usual }), usual };
  return changesOfClocks(opens.subtract(REACH), closes.add(REACH)).flatMap((change) => noteOf(change, placed) ?? []);
}

/** A moment when local time jumps: by the clock before it, to the clock after it. */
interface ChangeOfClocks {
  readonly at: Temporal.ZonedDateTime;
  readonly from: Temporal.PlainDateTime;
  readonly to: Temporal.PlainDateTime;
}

/** A window as it is and as its rule words it. */
interface PlacedWindow {
  readonly opens: Temporal.ZonedDateTime;
  readonly closes: Temporal.ZonedDateTime;
  readonly start: Temporal.PlainDateTime;
  readonly end: Temporal.PlainDateTime;
  readonly usual: number;
}

/** The day that the window belongs to: it opens on that day, or on the next when a gap moved it there. */
function dateOf(
  rule: Omit<WindowRule, 'days'>,
  { opensAt }: Window,
  opens: Temporal.ZonedDateTime,
): Temporal.PlainDate | undefined {
  const date = opens.toPlainDate();
  return [date, date.subtract({ days: 1 })].find((day) => windowOn(rule, day)?.opensAt.getTime() === opensAt.getTime());
}

function changesOfClocks(after: Temporal.ZonedDateTime, until: Temporal.ZonedDateTime): ChangeOfClocks[] {
  const changes: ChangeOfClocks[] = [];
  let at = after.getTimeZoneTransition('next');
  while (at && Temporal.ZonedDateTime.compare(at, until) <= 0) {
    const before = at.subtract({ nanoseconds: 1 });
    const shift = { nanoseconds: at.offsetNanoseconds - before.offsetNanoseconds };
    if (shift.nanoseconds !== 0)
      changes.push({ at, from: at.toPlainDateTime().subtract(shift), to: at.toPlainDateTime() });
    at = at.getTimeZoneTransition('next');
  }
  return changes;
}

function noteOf(change: ChangeOfClocks, window: PlacedWindow): string | undefined {
  const { opens, closes, start, end, usual } = window;
  const forward = isForward(change);
  const opening = isTouched(start, change);
  const closing = isTouched(end, change);
  const minutes = opens.until(closes).total('minutes');
  const inside = isWithin(change.at, opens, closes);
  if (!opening && !closing && !inside) return undefined;
  const keepsLength = minutes === usual;
  const effects = [
    ...(opening ? [forward ? `opens at ${clock(opens)}` : 'opens at the first of the two'] : []),
    ...(closing || (opening && forward && keepsLength)
      ? [forward ? `closes at ${clock(closes)}` : `closes at the first ${asWritten(end)}`]
      : []),
    ...(keepsLength ? [] : [`is ${lengthText(minutes)} long instead of ${lengthText(usual)}`]),
  ].join(' and ');
  const touched = opening ? start : closing ? end : undefined;
  const why = touched ? `${whatHappensTo(touched, change)}, so the window` : 'the window';
  return `${changeText(change)}: ${why} ${effects}.`;
}

function isForward({ from, to }: ChangeOfClocks): boolean {
  return Temporal.PlainDateTime.compare(to, from) > 0;
}

/** Whether a local time does not exist, or comes twice, because of the change. */
function isTouched(time: Temporal.PlainDateTime, change: ChangeOfClocks): boolean {
  const [first, last] = isForward(change) ? [change.from, change.to] : [change.to, change.from];
  return Temporal.PlainDateTime.compare(time, first) >= 0 && Temporal.PlainDateTime.compare(time, last) < 0;
}

/** Whether a change comes after the window opened; one that comes as it closes may have brought that forward. */
function isWithin(at: Temporal.ZonedDateTime, from: Temporal.ZonedDateTime, to: Temporal.ZonedDateTime): boolean {
  return Temporal.ZonedDateTime.compare(at, from) > 0 && Temporal.ZonedDateTime.compare(at, to) <= 0;
}

function changeText(change: ChangeOfClocks): string {
  const minutes = Math.abs(change.from.until(change.to).total('minutes'));
  const direction = isForward(change) ? 'forward' : 'back';
  return `Clocks go ${direction} by ${lengthText(minutes)} at ${clock(change.from)} on ${change.from.toPlainDate()}`;
}

function whatHappensTo(time: Temporal.PlainDateTime, change: ChangeOfClocks): string {
  const date = time.toPlainDate();
  const day = date.equals(change.from.toPlainDate()) ? 'that day' : `on ${date}`;
  return `${asWritten(time)} ${isForward(change) ? 'does not exist' : 'comes twice'} ${day}`;
}

/** Such as 03:30. */
function clock(time: Temporal.ZonedDateTime | Temporal.PlainDateTime): string {
  return time.toPlainTime().toString({ smallestUnit: 'minute' });
}

/** Such as 3:30, as in a period. */
function asWritten(time: Temporal.PlainDateTime): string {
  return clock(time).replace(/^0/, '');
}

/** Such as 1 h 30 min. */
function lengthText(minutes: number): string {
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  return [...(hours > 0 ? [`${hours} h`] : []), ...(rest > 0 || hours === 0 ? [`${rest} min`] : [])].join(' ');
}

function zoned(instant: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone);
}
