/**
 * The windows that a rule must have, found a second time for tests: without Temporal and without window.ts, by reading
 * the wall clock of the zone as time goes by: minute by minute in every quarter of a day in which it does not run evenly.
 *
 * A wanted local time is the first minute at which the wall clock shows it. Where the clock jumps over it, one goes on
 * counting from the last minute before the jump, as with a watch that nobody has put forward.
 */
import { WEEKDAYS } from '../weekdays.ts';
import type { WindowRule } from '../window.ts';

export interface ExpectedWindow {
  readonly opensAt: Date;
  readonly closesAt: Date;
}

const HOUR = 60;
const DAY = 24 * HOUR;
/** No zone changes its clocks and changes them back within so many minutes. */
const SPAN = 6 * HOUR;
const MINUTE_MS = 60_000;
/** How far from a local time, read as UTC, the search begins and ends: zones are 12 h behind to 14 h ahead, jumps 24 h. */
const SEARCH = { from: -40 * HOUR, to: 15 * HOUR };

/** Minutes of time during which the wall clock ran evenly; all are counted since 1970, `wall` as if it were UTC. */
interface Stretch {
  readonly minute: number;
  readonly wall: number;
  readonly length: number;
}

/** The wall clock's minute at a minute of time. */
type WallClock = (minute: number) => number;

/**
 * The windows of the local days from `fromDate` up to, but without, `toDate`, in order.
 *
 * @param fromDate such as 2026-01-31
 */
export function expectedWindows(rule: WindowRule, fromDate: string, toDate: string): ExpectedWindow[] {
  const wallAt = wallClockOf(rule.timeZone);
  const windows: ExpectedWindow[] = [];
  for (let day = dayNumber(fromDate); day < dayNumber(toDate); day += 1)
    if (isAsked(rule, day) && hasDay(wallAt, day)) windows.push(expectedWindow(rule, wallAt, day));
  return windows;
}

function expectedWindow({ period: { start, end } }: WindowRule, wallAt: WallClock, day: number): ExpectedWindow {
  const length = start < end ? end - start : DAY - start + end;
  const opens = minuteOf(wallAt, day * DAY + start);
  const closes = minuteOf(wallAt, day * DAY + start + length);
  const nextOpens = minuteOf(wallAt, (day + 1) * DAY + start);
  const lasting = closes <= opens ? opens + length : closes;
  return {
    opensAt: new Date(opens * MINUTE_MS),
    closesAt: new Date(Math.min(lasting, nextOpens) * MINUTE_MS),
  };
}

function isAsked({ days }: WindowRule, day: number): boolean {
  const daysAfterMonday = (day + 3) % 7; // day 0, 1970-01-01, was a Thursday
  return days.some((name) => name === WEEKDAYS[daysAfterMonday]);
}

/** Whether the wall clock shows the day at any minute. */
function hasDay(wallAt: WallClock, day: number): boolean {
  for (const { wall, length } of stretches(wallAt, day * DAY + SEARCH.from, (day + 1) * DAY + SEARCH.to))
    if (wall < (day + 1) * DAY && wall + length > day * DAY) return true;
  return false;
}

/** When the wall clock shows a local time. */
function minuteOf(wallAt: WallClock, wanted: number): number {
  let before: Stretch | undefined;
  let counted: number | undefined;
  for (const stretch of stretches(wallAt, wanted + SEARCH.from, wanted + SEARCH.to)) {
    const { minute, wall, length } = stretch;
    if (wall <= wanted && wanted < wall + length) return minute + wanted - wall;
    if (before && before.wall < wanted && wanted < wall) counted ??= before.minute + wanted - before.wall;
    before = stretch;
  }
  if (counted === undefined) throw new Error(`the wall clock neither shows nor jumps over minute ${wanted}`);
  return counted;
}

function* stretches(wallAt: WallClock, from: number, to: number): Generator<Stretch> {
  for (let minute = Math.floor(from / SPAN) * SPAN; minute < to; minute += SPAN) {
    const wall = wallAt(minute);
    if (wallAt(minute + SPAN) - wall === SPAN) yield { minute, wall, length: SPAN };
    else for (let next = minute; next < minute + SPAN; next += 1) yield { minute: next, wall: wallAt(next), length: 1 };
  }
}

const wallClocks = new Map<string, WallClock>();

/** The clock of a zone, which remembers what it has shown. */
function wallClockOf(timeZone: string): WallClock {
  const known = wallClocks.get(timeZone);
  if (known) return known;
  const shown = new Map<number, number>();
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  });
  const wallAt = (minute: number) => {
    const wall = shown.get(minute) ?? read(format, minute);
    shown.set(minute, wall);
    return wall;
  };
  wallClocks.set(timeZone, wallAt);
  return wallAt;
}

function read(format: Intl.DateTimeFormat, at: number): number {
  const parts = format.formatToParts(at * MINUTE_MS).map(({ type, value }) => [type, Number(value)]);
  const { year = 0, month = 1, day, hour, minute } = Object.fromEntries(parts);
  return Date.UTC(year, month - 1, day, hour, minute) / MINUTE_MS;
}

function dayNumber(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / (DAY * MINUTE_MS);
}
