import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePeriod } from '../period.ts';
import { WEEKDAYS, type Weekday } from '../weekdays.ts';
import { nextWindow, type Window, type WindowRule } from '../window.ts';
import { expectedWindows } from './oracle.ts';

/** Zones of every offset and habit: half hours, midnight, Ramadan, the last hour of a day, two hours at once. */
const ZONES = [
  'Africa/Cairo',
  'Africa/Casablanca',
  'Africa/El_Aaiun',
  'Africa/Johannesburg',
  'America/Adak',
  'America/Asuncion',
  'America/Chicago',
  'America/Denver',
  'America/Halifax',
  'America/Havana',
  'America/Los_Angeles',
  'America/Mexico_City',
  'America/Miquelon',
  'America/New_York',
  'America/Nuuk',
  'America/Santiago',
  'America/Sao_Paulo',
  'America/Scoresbysund',
  'America/St_Johns',
  'America/Tijuana',
  'Antarctica/Casey',
  'Antarctica/Troll',
  'Asia/Beirut',
  'Asia/Famagusta',
  'Asia/Gaza',
  'Asia/Jerusalem',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Asia/Shanghai',
  'Asia/Tehran',
  'Atlantic/Azores',
  'Australia/Adelaide',
  'Australia/Eucla',
  'Australia/Lord_Howe',
  'Europe/Berlin',
  'Europe/Chisinau',
  'Europe/Dublin',
  'Europe/London',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Pacific/Easter',
  'Pacific/Kiritimati',
  'Pacific/Norfolk',
  'UTC',
];

function ruleOf(period: string, timeZone: string, days: readonly Weekday[] = WEEKDAYS): WindowRule {
  const parsed = parsePeriod(period);
  if (!parsed) throw new Error(`${period} is no period`);
  return { days, period: parsed, timeZone };
}

/** Those that open from the first date on and before the second, at midnight UTC. */
function walked(rule: WindowRule, from: string, to: string): Window[] {
  const windows: Window[] = [];
  const end = new Date(to);
  let window = nextWindow(rule, new Date(Date.parse(from) - 1), false);
  while (window && window.opensAt < end) {
    windows.push(window);
    window = nextWindow(rule, window.opensAt, false);
  }
  return windows;
}

/** The same by the oracle, which is asked for some days more than are compared. */
function foretold(rule: WindowRule, from: string, to: string): Window[] {
  const first = new Date(Date.parse(from) - 3 * DAY_MS).toISOString().slice(0, 10);
  const last = new Date(Date.parse(to) + 3 * DAY_MS).toISOString().slice(0, 10);
  return expectedWindows(rule, first, last).filter(
    ({ opensAt }) => opensAt >= new Date(from) && opensAt < new Date(to),
  );
}

const DAY_MS = 86_400_000;

describe('the oracle', () => {
  it.each([
    ['2:30-4:00', 'America/New_York', '2026-03-08', '2026-03-08T07:30Z', '2026-03-08T08:00Z'],
    ['2:10-2:50', 'America/New_York', '2026-03-08', '2026-03-08T07:10Z', '2026-03-08T07:50Z'],
    ['1:30-3:00', 'America/New_York', '2026-11-01', '2026-11-01T05:30Z', '2026-11-01T08:00Z'],
    ['23:00-2:30', 'America/New_York', '2026-03-07', '2026-03-08T04:00Z', '2026-03-08T07:30Z'],
    ['23:00-6:00', 'America/New_York', '2026-10-31', '2026-11-01T03:00Z', '2026-11-01T11:00Z'],
    ['0:00-0:00', 'America/New_York', '2026-03-08', '2026-03-08T05:00Z', '2026-03-09T04:00Z'],
    ['0:00-1:00', 'Africa/Cairo', '2026-04-24', '2026-04-23T22:00Z', '2026-04-23T23:00Z'],
    ['2:15-3:00', 'Australia/Lord_Howe', '2026-10-04', '2026-10-03T15:45Z', '2026-10-03T16:00Z'],
    ['23:30-23:50', 'America/Nuuk', '2026-03-28', '2026-03-29T01:30Z', '2026-03-29T01:50Z'],
  ])('knows %s in %s on %s by itself', (period, timeZone, date, opens, closes) => {
    const following = new Date(Date.parse(date) + DAY_MS).toISOString().slice(0, 10);
    expect(expectedWindows(ruleOf(period, timeZone), date, following)).toEqual([
      { opensAt: new Date(opens), closesAt: new Date(closes) },
    ]);
  });

  it('knows no window on a day that the zone skipped', () => {
    expect(expectedWindows(ruleOf('9:00-10:00', 'Pacific/Apia'), '2011-12-30', '2011-12-31')).toEqual([]);
  });
});

describe('the windows of a year are those that the wall clock shows', () => {
  it.each(ZONES)('in %s', (timeZone) => {
    const rules = [
      ruleOf('0:00-1:00', timeZone),
      ruleOf('23:30-2:30', timeZone, ['Thursday', 'Saturday', 'Sunday']),
      ruleOf('3:00-2:30', timeZone, ['Friday', 'Saturday', 'Sunday', 'Monday']),
    ];
    for (const rule of rules)
      expect(walked(rule, '2026-01-01', '2027-01-01'), rule.period.text).toEqual(
        foretold(rule, '2026-01-01', '2027-01-01'),
      );
  });
});

it('any rule has the windows that the wall clock shows, in any month and zone of two decades', () => {
  const rules = fc.record({
    timeZone: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
    days: fc.subarray([...WEEKDAYS], { minLength: 1 }),
    period: fc.record({
      start: fc.oneof(fc.integer({ min: 0, max: 1439 }), fc.integer({ min: 0, max: 240 })),
      end: fc.oneof(fc.integer({ min: 0, max: 1440 }), fc.integer({ min: 0, max: 240 })),
      text: fc.constant(''),
    }),
  });
  fc.assert(
    fc.property(rules, fc.integer({ min: 0, max: 239 }), (rule, month) => {
      const from = new Date(Date.UTC(2011, month, 1)).toISOString().slice(0, 10);
      const to = new Date(Date.UTC(2011, month + 1, 1)).toISOString().slice(0, 10);
      expect(walked(rule, from, to)).toEqual(foretold(rule, from, to));
    }),
    { numRuns: 200 },
  );
});

it('a year in which the zone skipped a day has the windows that the wall clock shows', () => {
  for (const period of ['0:00-0:00', '9:00-10:00', '23:00-2:00', '12:00-11:00', '23:59-23:59']) {
    const rule = ruleOf(period, 'Pacific/Apia');
    expect(walked(rule, '2011-06-01', '2012-06-01'), period).toEqual(foretold(rule, '2011-06-01', '2012-06-01'));
  }
});
