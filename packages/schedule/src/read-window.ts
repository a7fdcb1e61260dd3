/** Reads which windows people ask for, as they write them: days, hours and a zone. */
import { parsePeriod } from './period.ts';
import { isTimeZone } from './time-zone.ts';
import { parseWeekdays, WEEKDAYS, type Weekday } from './weekdays.ts';

/** What was written; absent keeps what it was. */
export interface WrittenWindow {
  readonly days?: string | undefined;
  readonly period?: string | undefined;
  readonly timeZone?: string | undefined;
}

/** The same, read. */
export interface WindowChange {
  days?: readonly Weekday[];
  period?: string;
  timeZone?: string;
}

const OFFSET = /^(utc|gmt|z)?[ ]*[+-]?[ ]*\d{1,2}(:?\d{2}){0,2}$|^z$/i;

/**
 * What of a window is good, and each bad field as the REST body calls it, with a value that would be right.
 *
 * @param what is started by itself, such as "backups"
 * @param emptyZone whether "" is a time zone: that of each cluster
 * @param quote how a word that somebody wrote is quoted
 * @param bad hears of each bad field
 */
export function readWindow(
  { days, period, timeZone }: WrittenWindow,
  { what, emptyZone, quote }: { what: string; emptyZone: boolean; quote: (word: string) => string },
  bad: (field: string, description: string) => void,
): WindowChange {
  const change: WindowChange = {};
  const weekdays = days === undefined ? undefined : parseWeekdays(days);
  if (weekdays && 'unknown' in weekdays)
    bad(
      'backupDate',
      `${weekdays.unknown.map(quote).join(', ')} is no weekday; use names such as Monday,Friday: ${WEEKDAYS.join(', ')}`,
    );
  else if (weekdays?.days.length === 0 && days?.trim() !== '')
    bad(
      'backupDate',
      `${quote(days ?? '')} names no weekday; use names such as Monday,Friday, or "" for no automatic ${what}`,
    );
  else if (weekdays) change.days = weekdays.days;
  if (period !== undefined) {
    const parsed = parsePeriod(period);
    if (parsed) change.period = parsed.text;
    else bad('period', `${quote(period)} is no window; use H:MM-H:MM such as 23:00-2:00, with 24:00 only as an end`);
  }
  if (timeZone === undefined) return change;
  if (isTimeZone(timeZone) || (emptyZone && timeZone === '')) change.timeZone = timeZone;
  else if (OFFSET.test(timeZone))
    bad(
      'timeZone',
      `${quote(timeZone)} is a fixed offset, which knows no daylight saving; use an IANA name such as Europe/Berlin or Asia/Shanghai`,
    );
  else bad('timeZone', `${quote(timeZone)} is no time zone; use an IANA name such as Europe/Berlin`);
  return change;
}
