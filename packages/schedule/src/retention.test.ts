import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  evaluateRetention,
  keepsNothing,
  type RetainedBackup,
  type RetentionPolicy,
  type RetentionVerdict,
  type RetentionView,
} from './retention.ts';

const NOTHING: RetentionPolicy = { keepLast: 0, keepDays: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const BERLIN = { timeZone: 'Europe/Berlin', now: new Date('2026-11-20T12:00:00Z') };

/** Backups named after their instants. */
function takenAt(...instants: string[]): RetainedBackup[] {
  return instants.map((instant) => ({ id: instant, takenAt: new Date(instant), held: false }));
}

function reasons(verdicts: readonly RetentionVerdict[]): Record<string, readonly string[]> {
  return Object.fromEntries(verdicts.map(({ id, keepReasons }) => [id, keepReasons]));
}

function keptIds(
  backups: readonly RetainedBackup[],
  policy: RetentionPolicy | undefined,
  view: RetentionView,
): string[] {
  return evaluateRetention(backups, policy, view)
    .filter(({ keepReasons }) => keepReasons.length > 0)
    .map(({ id }) => id);
}

describe('retention', () => {
  it('keeps nothing when no number is set', () => {
    expect(keepsNothing(NOTHING)).toBe(true);
    for (const name of Object.keys(NOTHING)) expect(keepsNothing({ ...NOTHING, [name]: 1 }), name).toBe(false);
  });

  it('keeps the newest and those that are held, whatever the policy', () => {
    const [old, held, newest] = takenAt('2026-01-01T00:00Z', '2026-01-02T00:00Z', '2026-01-03T00:00Z');
    const backups = [old, { ...held, held: true }, newest] as RetainedBackup[];
    expect(reasons(evaluateRetention(backups, NOTHING, BERLIN))).toEqual({
      '2026-01-03T00:00Z': ['newest good backup'],
      '2026-01-02T00:00Z': ['pinned or in use'],
      '2026-01-01T00:00Z': [],
    });
  });

  it('keeps everything when none is set, and says so', () => {
    expect(evaluateRetention(takenAt('2020-01-01T00:00Z', '2020-01-02T00:00Z'), undefined, BERLIN)).toEqual([
      { id: '2020-01-02T00:00Z', keepReasons: ['newest good backup', 'no retention is set'] },
      { id: '2020-01-01T00:00Z', keepReasons: ['no retention is set'] },
    ]);
  });

  it('says nothing of no backups', () => {
    expect(evaluateRetention([], { ...NOTHING, daily: 1 }, BERLIN)).toEqual([]);
  });

  it('keeps the newest N', () => {
    const backups = takenAt('2026-01-01T00:00Z', '2026-01-02T00:00Z', '2026-01-03T00:00Z');
    expect(reasons(evaluateRetention(backups, { ...NOTHING, keepLast: 2 }, BERLIN))).toEqual({
      '2026-01-03T00:00Z': ['newest good backup', 'last 2'],
      '2026-01-02T00:00Z': ['last 2'],
      '2026-01-01T00:00Z': [],
    });
  });

  it('takes the greater id for the newer of two of the same time', () => {
    const backups = ['b', 'c', 'a'].map((id) => ({ id, takenAt: new Date(0), held: false }));
    expect(evaluateRetention(backups, { ...NOTHING, keepLast: 2 }, BERLIN).map(({ id }) => id)).toEqual([
      'c',
      'b',
      'a',
    ]);
    expect(keptIds(backups, { ...NOTHING, keepLast: 2 }, BERLIN)).toEqual(['c', 'b']);
  });

  it('keeps those younger than D days by the calendar, also where a day has 25 hours, and tells when that ends', () => {
    const backups = takenAt('2026-10-24T01:30Z', '2026-10-25T12:00Z');
    const policy = { ...NOTHING, keepDays: 1 };
    const at = (now: string) => evaluateRetention(backups, policy, { ...BERLIN, now: new Date(now) })[1];
    const ends = '2026-10-25T02:30:00.000Z';
    expect(at('2026-10-25T02:29:59.999Z')).toEqual({
      id: '2026-10-24T01:30Z',
      keepReasons: ['younger than 1 day'],
      expiresAt: new Date(ends),
    });
    expect(at(ends)).toEqual({ id: '2026-10-24T01:30Z', keepReasons: [] });
  });

  it('tells no end where something else keeps a backup too', () => {
    const backups = takenAt('2026-11-18T00:00Z', '2026-11-19T00:00Z');
    const verdicts = evaluateRetention(backups, { ...NOTHING, keepLast: 2, keepDays: 7 }, BERLIN);
    expect(verdicts[1]?.keepReasons).toEqual(['last 2', 'younger than 7 days']);
    for (const verdict of verdicts) expect(verdict).not.toHaveProperty('expiresAt');
  });

  it('takes any number of days', () => {
    const verdicts = evaluateRetention(
      takenAt('2020-01-01T00:00Z', '2020-01-02T00:00Z'),
      { ...NOTHING, keepDays: 2 ** 32 - 1 },
      BERLIN,
    );
    expect(verdicts[1]?.keepReasons).toEqual(['younger than 4294967295 days']);
    expect(verdicts[1]?.expiresAt?.getUTCFullYear()).toBe(4757);
  });

  it('keeps the newest of each of the newest days, weeks, months and years that have one, and names them', () => {
    const backups = takenAt(
      '2024-12-30T12:00:00Z',
      '2026-09-01T12:00:00Z',
      '2026-11-15T12:00:00Z',
      '2026-11-16T12:00:00Z',
      '2026-11-20T01:00:00Z',
      '2026-11-20T02:00:00Z',
    );
    const policy = { ...NOTHING, daily: 2, weekly: 2, monthly: 2, yearly: 3 };
    expect(reasons(evaluateRetention(backups, policy, BERLIN))).toEqual({
      '2026-11-20T02:00:00Z': [
        'newest good backup',
        'newest of day 2026-11-20 (daily 2)',
        'newest of week 2026-W47 (weekly 2)',
        'newest of month 2026-11 (monthly 2)',
        'newest of year 2026 (yearly 3)',
      ],
      '2026-11-20T01:00:00Z': [],
      '2026-11-16T12:00:00Z': ['newest of day 2026-11-16 (daily 2)'],
      '2026-11-15T12:00:00Z': ['newest of week 2026-W46 (weekly 2)'],
      '2026-09-01T12:00:00Z': ['newest of month 2026-09 (monthly 2)'],
      '2024-12-30T12:00:00Z': ['newest of year 2024 (yearly 3)'],
    });
  });

  it('names weeks as ISO does, around New Year too', () => {
    const backups = takenAt('2024-12-30T12:00:00Z', '2027-01-03T12:00:00Z');
    const named = reasons(evaluateRetention(backups, { ...NOTHING, weekly: 2 }, BERLIN));
    expect(named['2024-12-30T12:00:00Z']).toEqual(['newest of week 2025-W01 (weekly 2)']);
    expect(named['2027-01-03T12:00:00Z']).toContain('newest of week 2026-W53 (weekly 2)');
  });

  it('counts days in the zone of the rule', () => {
    const backups = takenAt('2026-11-19T22:30:00Z', '2026-11-19T23:30:00Z');
    const policy = { ...NOTHING, daily: 2 };
    expect(keptIds(backups, policy, BERLIN)).toHaveLength(2);
    expect(keptIds(backups, policy, { ...BERLIN, timeZone: 'UTC' })).toEqual(['2026-11-19T23:30:00Z']);
  });
});

const HOUR_MS = 3_600_000;
const count = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }) },
);
const policies: fc.Arbitrary<RetentionPolicy> = fc.record({
  keepLast: count,
  keepDays: fc.oneof(count, fc.integer({ min: 0, max: 500 })),
  daily: count,
  weekly: count,
  monthly: count,
  yearly: count,
});
const views: fc.Arbitrary<RetentionView> = fc.record({
  timeZone: fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
  now: fc.integer({ min: -48, max: 20_000 }).map((hours) => new Date(Date.UTC(2026, 2, 1) + hours * HOUR_MS)),
});
/** Dense ones and ones years apart, some at the same instant, none in order. */
const fleets: fc.Arbitrary<RetainedBackup[]> = fc
  .array(
    fc.record({
      hours: fc.oneof(
        fc.integer({ min: 0, max: 100 }),
        fc.integer({ min: 0, max: 2_000 }),
        fc.integer({ min: 0, max: 40_000 }),
      ),
      held: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    }),
    { maxLength: 40 },
  )
  .map((taken) =>
    taken.map(({ hours, held }, index) => ({
      id: `${(index * 7) % 41}`,
      takenAt: new Date(Date.UTC(2026, 2, 1) - hours * HOUR_MS),
      held,
    })),
  );

describe('retention of any backups under any policy', () => {
  it('never lets the newest go, nor one that is held', () => {
    fc.assert(
      fc.property(fleets, policies, views, (backups, policy, view) => {
        const kept = keptIds(backups, policy, view);
        const newest = Math.max(...backups.map((backup) => backup.takenAt.getTime()));
        expect(
          backups.length === 0 || backups.some(({ id, takenAt }) => takenAt.getTime() === newest && kept.includes(id)),
        ).toBe(true);
        for (const { id, held } of backups) if (held) expect(kept).toContain(id);
      }),
    );
  });

  it('never lets one go because a number was raised', () => {
    fc.assert(
      fc.property(fleets, policies, policies, views, (backups, policy, more, view) => {
        const names = Object.keys(NOTHING) as (keyof RetentionPolicy)[];
        const raised = Object.fromEntries(names.map((name) => [name, policy[name] + more[name]]));
        const kept = keptIds(backups, raised as unknown as RetentionPolicy, view);
        for (const id of keptIds(backups, policy, view)) expect(kept).toContain(id);
      }),
    );
  });

  it('does not depend on the order they come in', () => {
    const shuffled = fleets.chain((backups) =>
      fc.tuple(fc.constant(backups), fc.shuffledSubarray(backups, { minLength: backups.length })),
    );
    fc.assert(
      fc.property(shuffled, policies, views, ([backups, mixed], policy, view) => {
        expect(evaluateRetention(mixed, policy, view)).toEqual(evaluateRetention(backups, policy, view));
      }),
    );
  });

  it('changes nothing for those that stay when any of those that go are deleted', () => {
    fc.assert(
      fc.property(fleets, policies, views, fc.integer(), (backups, policy, view, mask) => {
        const kept = keptIds(backups, policy, view);
        const left = backups.filter(({ id }, index) => kept.includes(id) || (mask >> (index % 32)) & 1);
        const stays = (verdicts: RetentionVerdict[]) => verdicts.filter(({ id }) => kept.includes(id));
        expect(stays(evaluateRetention(left, policy, view))).toEqual(stays(evaluateRetention(backups, policy, view)));
        expect(keptIds(left, policy, view)).toEqual(kept);
      }),
    );
  });

  it('lets one go at the moment that was told, and not before', () => {
    fc.assert(
      fc.property(fleets, policies, views, (backups, policy, view) => {
        for (const { id, expiresAt } of evaluateRetention(backups, policy, view)) {
          if (!expiresAt) continue;
          expect(keptIds(backups, policy, { ...view, now: new Date(expiresAt.getTime() - 1) })).toContain(id);
          expect(keptIds(backups, policy, { ...view, now: expiresAt })).not.toContain(id);
        }
      }),
    );
  });

  it('keeps what a plain reading of its rules keeps', () => {
    fc.assert(
      fc.property(fleets, policies, views, (backups, policy, view) => {
        expect(keptIds(backups, policy, view).toSorted()).toEqual(plainlyKept(backups, policy, view).toSorted());
      }),
      { numRuns: 300 },
    );
  });
});

/** The same rules once more, by counting what is newer and the days between: slow and obvious. */
function plainlyKept(
  backups: readonly RetainedBackup[],
  policy: RetentionPolicy,
  { timeZone, now }: RetentionView,
): string[] {
  const local = new Intl.DateTimeFormat('en-US', { timeZone, year: 'numeric', month: 'numeric', day: 'numeric' });
  const dayOf = (instant: Date) => {
    const {
      year = 0,
      month = 1,
      day,
    } = Object.fromEntries(local.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(year, month - 1, day) / (24 * HOUR_MS);
  };
  const monthOf = (day: number) => new Date(day * 24 * HOUR_MS).toISOString().slice(0, 7);
  const groupings: [number, (backup: RetainedBackup) => unknown][] = [
    [policy.daily, ({ takenAt }) => dayOf(takenAt)],
    [policy.weekly, ({ takenAt }) => Math.floor((dayOf(takenAt) + 3) / 7)],
    [policy.monthly, ({ takenAt }) => monthOf(dayOf(takenAt))],
    [policy.yearly, ({ takenAt }) => monthOf(dayOf(takenAt)).slice(0, 4)],
  ];
  const isNewer = (one: RetainedBackup, other: RetainedBackup) =>
    one.takenAt > other.takenAt || (one.takenAt.getTime() === other.takenAt.getTime() && one.id > other.id);
  const isKept = (backup: RetainedBackup) => {
    const newer = backups.filter((other) => isNewer(other, backup));
    const isYoung = policy.keepDays > 0 && isYounger(backup.takenAt, policy.keepDays);
    const isNewestOfGroup = groupings.some(([wanted, groupOf]) => {
      const groups = new Set(newer.map(groupOf));
      return !groups.has(groupOf(backup)) && groups.size < wanted;
    });
    return newer.length === 0 || backup.held || newer.length < policy.keepLast || isYoung || isNewestOfGroup;
  };
  // The local date decides, and where it is the last day itself, the time of day.
  const isYounger = (instant: Date, days: number) => {
    const age = dayOf(now) - dayOf(instant);
    return age < days || (age === days && endsLater(instant, days));
  };
  const endsLater = (instant: Date, days: number) =>
    Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone).add({ days })
      .epochMilliseconds > now.getTime();
  return backups.filter(isKept).map(({ id }) => id);
}
