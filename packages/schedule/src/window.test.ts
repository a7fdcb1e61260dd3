/**
 * Windows of every zone over a decade, around each change of clocks above all:
 *
 * W1. Every day that exists in the zone has exactly one window; others have none.
 * W3. A window closes after it opens.
 * W4. It closes when that of the next day opens, at the latest.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Period } from './period.ts';
import { spreadShare, startWithin } from './start-offset.ts';
import { isoWeekday, WEEKDAYS } from './weekdays.ts';
import { nextWindow, opensAt, type Window, windowOn } from './window.ts';

const ZONES = Intl.supportedValuesOf('timeZone');
const DAY_MINUTES = 24 * 60;
const DECADE = { from: '2020-01-01', days: 3_653 };
const RUNS_PER_ZONE = 6;
/** Chi-squared with 59 degrees of freedom is greater less than once in 10^11. */
const HARDLY_EVER_60 = 165;
const daysOfWeek = fc.subarray([...WEEKDAYS], { minLength: 1 });

/** Whether any instant has that local date: a day, 21 h or longer, has one of these whatever its clocks do. */
function exists(date: Temporal.PlainDate, timeZone: string): boolean {
  const noon = date.toZonedDateTime({ timeZone: 'UTC', plainTime: '12:00' });
  return Array.from({ length: 15 }, (_, quarter) => noon.add({ hours: quarter * 6 - 42 }))
    .map((instant) => instant.withTimeZone(timeZone).toPlainDate())
    .some((local) => local.equals(date));
}

it('gives every day that exists one window, which closes before the next opens, in every zone of a decade', () => {
  for (const timeZone of ZONES)
    fc.assert(
      fc.property(daysAndPeriods(timeZone), ({ date, period }) => {
        let before: Window | undefined;
        for (let day = 0; day < 4; day += 1) {
          const window = windowOn({ period, timeZone }, date.add({ days: day }));
          expect(window !== undefined, timeZone).toBe(exists(date.add({ days: day }), timeZone));
          if (!window) continue;
          expect(window.closesAt > window.opensAt, timeZone).toBe(true);
          if (before) expect(window.opensAt >= before.closesAt, timeZone).toBe(true);
          before = window;
        }
      }),
      { numRuns: RUNS_PER_ZONE },
    );
});

it('walks from window to window and meets that of every asked day once, in every zone of a decade', () => {
  for (const timeZone of ZONES)
    fc.assert(
      fc.property(daysAndPeriods(timeZone), daysOfWeek, ({ date, period }, days) => {
        const rule = { timeZone, period, days };
        const asked = Array.from({ length: 8 }, (_, day) => date.add({ days: day }))
          .filter(({ dayOfWeek }) => days.map(isoWeekday).includes(dayOfWeek))
          .flatMap((day) => windowOn(rule, day) ?? []);
        for (const [index, window] of asked.entries()) {
          expect(opensAt(rule, window.opensAt), timeZone).toBe(true);
          const following = asked[index + 1];
          if (following) expect(nextWindow(rule, window.opensAt, false), timeZone).toEqual(following);
          expect(nextWindow(rule, window.opensAt, true), timeZone).toEqual(window);
          expect(nextWindow(rule, new Date(window.closesAt.getTime() - 1), true), timeZone).toEqual(window);
        }
      }),
      { numRuns: 2 },
    );
});

it('finds the window of a weekly rule also where the zone skips a day', () => {
  for (const day of WEEKDAYS) {
    const rule = { timeZone: 'Pacific/Apia', period: { start: 540, end: 600, text: '9:00-10:00' }, days: [day] };
    let at = new Date('2011-12-01T00:00:00Z');
    for (let walked = 0; walked < 10; walked += 1) {
      const window = nextWindow(rule, at, false);
      if (!window) throw new Error(`no ${day} after ${at.toISOString()}`);
      at = window.opensAt;
    }
  }
});

it('starts inside the window of any zone, always at the same place for a cluster and rule', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ZONES).chain((timeZone) => fc.tuple(fc.constant(timeZone), daysAndPeriods(timeZone))),
      fc.string(),
      fc.string(),
      fc.integer({ min: 0, max: 200_000_000 }),
      ([timeZone, { date, period }], cluster, rule, spreadMs) => {
        const window = windowOn({ timeZone, period }, date);
        if (!window) return;
        const start = startWithin(window, cluster, rule, spreadMs);
        expect(start >= window.opensAt && start < window.closesAt).toBe(true);
        expect(start.getTime() - window.opensAt.getTime()).toBeLessThanOrEqual(spreadMs);
        expect(startWithin(window, cluster, rule, spreadMs)).toEqual(start);
      },
    ),
    { numRuns: 500 },
  );
});

it('spreads a fleet evenly over the room it has, whatever its clusters are called', () => {
  const window = { opensAt: new Date(0), closesAt: new Date(7_200_000) };
  const names = fc.tuple(fc.string({ maxLength: 20 }), fc.string({ maxLength: 20 }), fc.stringMatching(/^[a-z]{1,8}$/));
  fc.assert(
    fc.property(names, ([prefix, suffix, rule]) => {
      const clusters = Array.from({ length: 10_000 }, (_, index) => `${prefix}${index}${suffix}`);
      const starts = clusters.map((id) => startWithin(window, id, rule, 3_600_000).getTime());
      expect(
        chiSquared(
          starts.map((start) => Math.floor(start / 60_000)),
          60,
        ),
      ).toBeLessThan(HARDLY_EVER_60);
      const shares = clusters.map((id) => spreadShare(id, rule));
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...shares)).toBeLessThan(1);
    }),
    { numRuns: 10 },
  );
});

/** How far the counts per slot are from even. */
function chiSquared(slots: readonly number[], count: number): number {
  const even = slots.length / count;
  const counts = Array.from({ length: count }, () => 0);
  for (const slot of slots) counts[slot] = (counts[slot] ?? 0) + 1;
  return counts.reduce((sum, found) => sum + (found - even) ** 2 / even, 0);
}

/** A day and a period that may lie where the clocks of the zone change. */
interface DayAndPeriod {
  readonly date: Temporal.PlainDate;
  readonly period: Period;
}

/** Half of them anywhere in a decade, the others within minutes of one of the zone's changes of clocks, if it has any. */
function daysAndPeriods(timeZone: string): fc.Arbitrary<DayAndPeriod> {
  const changes = changesOfDecade(timeZone);
  return changes.length === 0 ? fc.oneof(anywhere) : fc.oneof(anywhere, fc.constantFrom(...changes).chain(around));
}

const anywhere: fc.Arbitrary<DayAndPeriod> = fc
  .tuple(
    fc.integer({ min: 0, max: DECADE.days - 1 }),
    fc.integer({ min: 0, max: DAY_MINUTES - 1 }),
    fc.integer({ min: 0, max: DAY_MINUTES }),
  )
  .map(([days, start, end]) => ({
    date: Temporal.PlainDate.from(DECADE.from).add({ days }),
    period: periodOf(start, end),
  }));

function around([before, after]: readonly [
  Temporal.PlainDateTime,
  Temporal.PlainDateTime,
]): fc.Arbitrary<DayAndPeriod> {
  const minute = fc
    .tuple(fc.constantFrom(before, after), fc.integer({ min: -100, max: 100 }))
    .map(([time, distance]) => (minuteOfDay(time) + distance + DAY_MINUTES) % DAY_MINUTES);
  const end = fc.oneof(minute, fc.constantFrom(0, DAY_MINUTES));
  return fc
    .tuple(fc.integer({ min: -2, max: 1 }), fc.oneof(minute, fc.constant(0)), end)
    .map(([days, start, close]) => ({ date: before.toPlainDate().add({ days }), period: periodOf(start, close) }));
}

/** Local time before and after each change. */
function changesOfDecade(timeZone: string): (readonly [Temporal.PlainDateTime, Temporal.PlainDateTime])[] {
  const first = Temporal.PlainDate.from(DECADE.from);
  const last = first.add({ days: DECADE.days }).toZonedDateTime(timeZone);
  const changes: (readonly [Temporal.PlainDateTime, Temporal.PlainDateTime])[] = [];
  let at = first.toZonedDateTime(timeZone).getTimeZoneTransition('next');
  while (at && Temporal.ZonedDateTime.compare(at, last) < 0) {
    changes.push([at.subtract({ nanoseconds: 1 }).toPlainDateTime().add({ nanoseconds: 1 }), at.toPlainDateTime()]);
    at = at.getTimeZoneTransition('next');
  }
  return changes;
}

function minuteOfDay({ hour, minute }: Temporal.PlainDateTime): number {
  return hour * 60 + minute;
}

function periodOf(start: number, end: number): Period {
  return { start, end, text: `${start}-${end} minutes` };
}
