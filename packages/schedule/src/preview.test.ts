import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePeriod } from './period.ts';
import { localText, upcomingWindows, windowNotes } from './preview.ts';
import { WEEKDAYS, type Weekday } from './weekdays.ts';
import { usualMinutes, type WindowRule, windowOn } from './window.ts';

const NEW_YORK = 'America/New_York';

function ruleOf(period: string, timeZone: string, days: readonly Weekday[] = WEEKDAYS): WindowRule {
  const parsed = parsePeriod(period);
  if (!parsed) throw new Error(`${period} is no period`);
  return { days, period: parsed, timeZone };
}

function windowAt(rule: WindowRule, date: string) {
  const window = windowOn(rule, Temporal.PlainDate.from(date));
  if (!window) throw new Error(`${date} has no window`);
  return window;
}

it('writes local time with its offset, which tells the two of a repeated hour apart', () => {
  expect(localText(new Date('2026-11-01T05:30:59.999Z'), NEW_YORK)).toBe('2026-11-01T01:30-04:00');
  expect(localText(new Date('2026-11-01T06:30:00Z'), NEW_YORK)).toBe('2026-11-01T01:30-05:00');
  expect(localText(new Date('2026-11-01T06:30:00Z'), 'UTC')).toBe('2026-11-01T06:30+00:00');
});

describe('upcoming windows', () => {
  const rule = ruleOf('23:00-6:00', NEW_YORK, ['Saturday', 'Sunday']);
  const opensOf = (from: string, includeOpen: boolean) =>
    upcomingWindows(rule, new Date(from), 3, includeOpen).map(({ opensAt }) => localText(opensAt, NEW_YORK));

  it('are as many as asked for, in order', () => {
    const expected = ['2026-10-31T23:00-04:00', '2026-11-01T23:00-05:00', '2026-11-07T23:00-05:00'];
    expect(opensOf('2026-10-31T12:00:00Z', false)).toEqual(expected);
  });
  it('begin with the one that is open, if asked for', () => {
    expect(opensOf('2026-11-01T08:00:00Z', true)[0]).toBe('2026-10-31T23:00-04:00');
    expect(opensOf('2026-11-01T08:00:00Z', false)[0]).toBe('2026-11-01T23:00-05:00');
  });
  it('are none for a rule without days, or where none is asked for', () => {
    expect(upcomingWindows({ ...rule, days: [] }, new Date(0), 3, true)).toEqual([]);
    expect(upcomingWindows(rule, new Date(0), 0, true)).toEqual([]);
  });
  it('leave out a day that the zone skipped', () => {
    const opens = upcomingWindows(ruleOf('9:00-10:00', 'Pacific/Apia'), new Date('2011-12-28T12:00:00Z'), 3, false);
    expect(opens.map(({ opensAt }) => localText(opensAt, 'Pacific/Apia'))).toEqual([
      '2011-12-28T09:00-10:00',
      '2011-12-29T09:00-10:00',
      '2011-12-31T09:00+14:00',
    ]);
  });
});

describe('the note on a window', () => {
  it.each([
    [
      'that opens in a gap and shrinks',
      ['2:30-4:00', NEW_YORK, '2026-03-08'],
      'Clocks go forward by 1 h at 02:00 on 2026-03-08: 2:30 does not exist that day, so the window opens at 03:30 and is 30 min long instead of 1 h 30 min.',
    ],
    [
      'wholly inside a gap',
      ['2:10-2:50', NEW_YORK, '2026-03-08'],
      'Clocks go forward by 1 h at 02:00 on 2026-03-08: 2:10 does not exist that day, so the window opens at 03:10 and closes at 03:50.',
    ],
    [
      'that opens in a repeated hour',
      ['1:30-3:00', NEW_YORK, '2026-11-01'],
      'Clocks go back by 1 h at 02:00 on 2026-11-01: 1:30 comes twice that day, so the window opens at the first of the two and is 2 h 30 min long instead of 1 h 30 min.',
    ],
    [
      'wholly inside a repeated hour',
      ['1:10-1:50', NEW_YORK, '2026-11-01'],
      'Clocks go back by 1 h at 02:00 on 2026-11-01: 1:10 comes twice that day, so the window opens at the first of the two and closes at the first 1:50.',
    ],
    [
      'that closes in a repeated hour',
      ['0:30-1:30', NEW_YORK, '2026-11-01'],
      'Clocks go back by 1 h at 02:00 on 2026-11-01: 1:30 comes twice that day, so the window closes at the first 1:30.',
    ],
    [
      'that ends in a gap',
      ['23:00-2:30', NEW_YORK, '2026-03-07'],
      'Clocks go forward by 1 h at 02:00 on 2026-03-08: 2:30 does not exist that day, so the window closes at 03:30.',
    ],
    [
      'that ends where a gap ends',
      ['1:00-3:00', NEW_YORK, '2026-03-08'],
      'Clocks go forward by 1 h at 02:00 on 2026-03-08: the window is 1 h long instead of 2 h.',
    ],
    [
      'that the next one cuts short',
      ['3:00-2:30', NEW_YORK, '2026-03-07'],
      'Clocks go forward by 1 h at 02:00 on 2026-03-08: 2:30 does not exist that day, so the window closes at 03:00 and is 23 h long instead of 23 h 30 min.',
    ],
    [
      'over a repeated hour',
      ['23:00-6:00', NEW_YORK, '2026-10-31'],
      'Clocks go back by 1 h at 02:00 on 2026-11-01: the window is 8 h long instead of 7 h.',
    ],
    [
      'of a whole day that is short',
      ['0:00-0:00', NEW_YORK, '2026-03-08'],
      'Clocks go forward by 1 h at 02:00 on 2026-03-08: the window is 23 h long instead of 24 h.',
    ],
    [
      'that opens at a midnight that does not exist',
      ['0:00-1:00', 'Africa/Cairo', '2026-04-24'],
      'Clocks go forward by 1 h at 00:00 on 2026-04-24: 0:00 does not exist that day, so the window opens at 01:00 and closes at 02:00.',
    ],
    [
      'in an hour that is repeated before midnight',
      ['23:30-0:30', 'Africa/Cairo', '2026-10-29'],
      'Clocks go back by 1 h at 00:00 on 2026-10-30: 23:30 comes twice on 2026-10-29, so the window opens at the first of the two and is 2 h long instead of 1 h.',
    ],
    [
      'in the last hour of a day, which is skipped',
      ['23:30-23:50', 'America/Nuuk', '2026-03-28'],
      'Clocks go forward by 1 h at 23:00 on 2026-03-28: 23:30 does not exist that day, so the window opens at 00:30 and closes at 00:50.',
    ],
    [
      'in a gap of half an hour',
      ['2:15-3:00', 'Australia/Lord_Howe', '2026-10-04'],
      'Clocks go forward by 30 min at 02:00 on 2026-10-04: 2:15 does not exist that day, so the window opens at 02:45 and is 15 min long instead of 45 min.',
    ],
    [
      'before a day that the zone skipped',
      ['23:00-2:00', 'Pacific/Apia', '2011-12-29'],
      'Clocks go forward by 24 h at 00:00 on 2011-12-30: 2:00 does not exist that day, so the window closes at 02:00.',
    ],
  ] as const)('%s says what happens to it', (_, [period, timeZone, date], expected) => {
    const rule = ruleOf(period, timeZone);
    expect(windowNotes(rule, windowAt(rule, date))).toEqual([expected]);
  });

  it.each([
    ['before a gap', '0:00-1:59', '2026-03-08'],
    ['from the end of a gap', '3:00-4:00', '2026-03-08'],
    ['after a gap', '4:00-5:00', '2026-03-08'],
    ['before a repeated hour', '0:00-0:59', '2026-11-01'],
    ['after a repeated hour', '2:00-4:00', '2026-11-01'],
    ['of a day without a change', '2:30-4:00', '2026-03-09'],
  ])('%s is none', (_, period, date) => {
    const rule = ruleOf(period, NEW_YORK);
    expect(windowNotes(rule, windowAt(rule, date))).toEqual([]);
  });

  it('is none for a window that is not of the rule', () => {
    const window = windowAt(ruleOf('2:30-4:00', NEW_YORK), '2026-03-08');
    expect(windowNotes(ruleOf('5:00-6:00', NEW_YORK), window)).toEqual([]);
  });
});

it('notes every window that is not as its period says, and no other, in any zone', () => {
  const places = fc.record({
    timeZone: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
    start: fc.integer({ min: 0, max: 1439 }),
    end: fc.integer({ min: 0, max: 1440 }),
    day: fc.integer({ min: 0, max: 3_650 }),
  });
  fc.assert(
    fc.property(places, ({ timeZone, start, end, day }) => {
      const rule = { timeZone, period: { start, end, text: '' } };
      const date = Temporal.PlainDate.from('2020-01-01').add({ days: day });
      const window = windowOn(rule, date);
      if (!window) return;
      const minutes = usualMinutes(rule.period);
      const written = (after: number) =>
        date
          .toPlainDateTime()
          .add({ minutes: start + after })
          .toString()
          .slice(0, 16);
      const asWritten =
        localText(window.opensAt, timeZone).startsWith(written(0)) &&
        localText(window.closesAt, timeZone).startsWith(written(minutes)) &&
        window.closesAt.getTime() - window.opensAt.getTime() === minutes * 60_000;
      const notes = windowNotes(rule, window);
      if (!asWritten) expect(notes.length).toBe(1);
      // At the first of two local times a window is as written, and yet the note says which of them it is.
      else expect(notes.filter((note) => !/comes twice.* (opens|closes) at the first/.test(note))).toEqual([]);
    }),
    { numRuns: 3_000 },
  );
});
