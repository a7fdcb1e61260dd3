import { describe, expect, it } from 'vitest';
import { parsePeriod } from './period.ts';
import { isTimeZone } from './time-zone.ts';
import { parseWeekdays, type Weekday } from './weekdays.ts';
import { nextWindow, type Window, type WindowRule } from './window.ts';

const NEW_YORK = 'America/New_York';
const rule = (days: Weekday[], period: string, timeZone: string): WindowRule => {
  const parsed = parsePeriod(period);
  if (!parsed) throw new Error(`${period} is no period`);
  return { days, period: parsed, timeZone };
};
const local = (window: Window | undefined, timeZone: string) =>
  window &&
  [window.opensAt, window.closesAt]
    .map((instant) => {
      const time = Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone);
      return `${time.toPlainDate()} ${time.toPlainTime().toString({ smallestUnit: 'minute' })}${time.offset}`;
    })
    .join(' .. ');
const next = (wanted: WindowRule, after: string, includeOpen = false) =>
  local(nextWindow(wanted, new Date(after), includeOpen), wanted.timeZone);

describe('weekdays', () => {
  it('forgives blanks, case and repeats and keeps the order given (A10)', () => {
    expect(parseWeekdays(' tuesday, MONDAY,Tuesday ,')).toEqual({ days: ['Tuesday', 'Monday'] });
    expect(parseWeekdays('')).toEqual({ days: [] });
  });
  it('names every word that is no weekday', () => {
    expect(parseWeekdays('Monday,Mon,Ｍonday')).toEqual({ unknown: ['Mon', 'Ｍonday'] });
  });
});

it('midnight is an hour like any other: its rule opens then, and no rule of another hour does (A1)', () => {
  const after = '2026-01-04T12:00:00Z';
  expect(next(rule(['Monday'], '0:00-1:00', 'UTC'), after)).toBe('2026-01-05 00:00+00:00 .. 2026-01-05 01:00+00:00');
  for (let hour = 1; hour < 24; hour += 1)
    expect(next(rule(['Monday'], `${hour}:00-${hour + 1}:00`, 'UTC'), after)).toMatch(
      new RegExp(`^2026-01-05 ${String(hour).padStart(2, '0')}:00`),
    );
});

it('a weekday is no part of another, nor a word that only looks like one (A10)', () => {
  const alike = [
    'Mоnday',
    'Ｍonday',
    'Monday\u200b',
    'Mon\u00adday',
    'ſunday',
    'Sundaу',
    'MONDAY\u0301',
    'onda',
    'day',
    '%',
    'Monday;',
  ];
  for (const word of alike) expect(parseWeekdays(`Tuesday,${word}`), word).toEqual({ unknown: [word] });
});

describe('a period', () => {
  it.each([
    ['7:00-9:00', 420, 540],
    ['07:00-09:15', 420, 555],
    ['7:00 - 9:00', 420, 540],
    ['23:00-0:00', 1380, 0],
    ['23:00-24:00', 1380, 1440],
    ['22:30-2:15', 1350, 135],
    ['0:00-24:00', 0, 1440],
    ['0:00-0:00', 0, 0],
  ])('reads %s, minutes and all (A2, A5)', (text, start, end) => {
    expect(parsePeriod(text)).toEqual({ start, end, text: text.replaceAll(' ', '') });
  });
  it.each(['7-9', '07:zz-9', '24:00-1:00', '0:00-24:01', '7:60-8:00', '7:00', '', '7:00-9:00-10:00', '-1:00-2:00'])(
    'refuses %j',
    (text) => expect(parsePeriod(text)).toBeUndefined(),
  );
});

it('takes IANA names for time zones and no offsets', () => {
  for (const name of ['UTC', NEW_YORK, 'US/Eastern', 'Asia/Calcutta', 'America/Argentina/Buenos_Aires'])
    expect(isTimeZone(name), name).toBe(true);
  for (const name of ['Mars/Phobos', 'GMT+1', '', '+05:30', 'Berlin']) expect(isTimeZone(name), name).toBe(false);
});

describe('a window over a change of clocks', () => {
  it.each([
    [
      'starts at the end of the gap',
      ['Sunday'],
      '2:30-4:00',
      NEW_YORK,
      '2026-03-07T12:00:00Z',
      '2026-03-08 03:30-04:00 .. 2026-03-08 04:00-04:00',
    ],
    [
      'wholly inside the gap is not lost',
      ['Sunday'],
      '2:10-2:50',
      NEW_YORK,
      '2026-03-08T05:00:00Z',
      '2026-03-08 03:10-04:00 .. 2026-03-08 03:50-04:00',
    ],
    [
      'takes the first of the repeated hours',
      ['Sunday'],
      '1:30-3:00',
      NEW_YORK,
      '2026-10-31T12:00:00Z',
      '2026-11-01 01:30-04:00 .. 2026-11-01 03:00-05:00',
    ],
    [
      'does not fire twice in the repeated hour',
      ['Sunday'],
      '1:30-3:00',
      NEW_YORK,
      '2026-11-01T06:10:00Z',
      '2026-11-08 01:30-05:00 .. 2026-11-08 03:00-05:00',
    ],
    [
      'may end in the gap',
      ['Saturday'],
      '23:00-2:30',
      NEW_YORK,
      '2026-03-07T12:00:00Z',
      '2026-03-07 23:00-05:00 .. 2026-03-08 03:30-04:00',
    ],
    [
      'has 23 hours on a short day',
      ['Sunday'],
      '0:00-0:00',
      NEW_YORK,
      '2026-03-07T12:00:00Z',
      '2026-03-08 00:00-05:00 .. 2026-03-09 00:00-04:00',
    ],
    [
      'keeps its length where midnight does not exist',
      ['Friday'],
      '0:00-1:00',
      'Africa/Cairo',
      '2026-04-23T12:00:00Z',
      '2026-04-24 01:00+03:00 .. 2026-04-24 02:00+03:00',
    ],
    [
      'knows gaps of half an hour',
      ['Sunday'],
      '2:15-3:00',
      'Australia/Lord_Howe',
      '2026-10-03T00:00:00Z',
      '2026-10-04 02:45+11:00 .. 2026-10-04 03:00+11:00',
    ],
    [
      'opens on the next day where the last hour of the day is skipped',
      ['Saturday'],
      '23:30-23:50',
      'America/Nuuk',
      '2026-03-28T12:00:00Z',
      '2026-03-29 00:30-01:00 .. 2026-03-29 00:50-01:00',
    ],
    [
      'closes when the next day opens, which a gap brings forward',
      ['Saturday', 'Sunday'],
      '3:00-2:30',
      NEW_YORK,
      '2026-03-07T00:00:00Z',
      '2026-03-07 03:00-05:00 .. 2026-03-08 03:00-04:00',
    ],
    [
      'lasts an hour longer over the repeated hour',
      ['Saturday'],
      '23:00-6:00',
      NEW_YORK,
      '2026-10-31T12:00:00Z',
      '2026-10-31 23:00-04:00 .. 2026-11-01 06:00-05:00',
    ],
    [
      'is found two weeks ahead, where the zone skips the day between',
      ['Friday'],
      '9:00-10:00',
      'Pacific/Apia',
      '2011-12-24T00:00:00Z',
      '2012-01-06 09:00+14:00 .. 2012-01-06 10:00+14:00',
    ],
    [
      'skips a day that the zone skipped',
      ['Friday'],
      '9:00-10:00',
      'Pacific/Apia',
      '2011-12-29T12:00:00Z',
      '2012-01-06 09:00+14:00 .. 2012-01-06 10:00+14:00',
    ],
  ] as const)('%s', (_, days, period, zone, after, expected) => {
    expect(next(rule([...days], period, zone), after)).toBe(expected);
  });

  it('is found while it is open, also after midnight', () => {
    const wanted = rule(['Saturday'], '23:00-6:00', NEW_YORK);
    expect(next(wanted, '2026-11-01T08:00:00Z', true)).toBe('2026-10-31 23:00-04:00 .. 2026-11-01 06:00-05:00');
    expect(next(wanted, '2026-11-01T08:00:00Z', false)).toBe('2026-11-07 23:00-05:00 .. 2026-11-08 06:00-05:00');
  });

  it('is found while it is open, also after a day that the zone skipped', () => {
    expect(next(rule(['Thursday'], '23:00-2:00', 'Pacific/Apia'), '2011-12-30T11:00:00Z', true)).toBe(
      '2011-12-29 23:00-10:00 .. 2011-12-31 02:00+14:00',
    );
  });
});
