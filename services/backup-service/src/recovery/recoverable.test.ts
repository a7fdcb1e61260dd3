/** What can be restored from snapshots and logs, and what must be kept for that. */
import { describe, expect, it } from 'vitest';
import { whyTakeBack } from './judge.ts';
import { needed } from './needed.ts';
import { DAMAGED_STAYS_MS, type PlanView, plan } from './plan.ts';
import { baseOf, recoverable } from './recoverable.ts';
import { segments } from './segments.ts';
import type { Cut } from './state.ts';
import { logOf, snapshotAt } from './testing/sample-state.ts';
import { acknowledgementOf, wouldLose } from './would-lose.ts';

const NOW = new Date('2026-12-02T12:00:00Z');
const viewFrom = (from: bigint, some: Partial<PlanView> = {}): PlanView => ({
  now: NOW,
  from,
  keptByRules: () => new Map(),
  tell: String,
  ...some,
});
const cut = (from: bigint, to: bigint, some: Partial<Cut> = {}): Cut => ({
  from,
  to,
  why: 'fileMissing',
  crossable: false,
  ...some,
});
const rangesOf = (state: Parameters<typeof recoverable>[0], now: bigint) =>
  recoverable(state, now).ranges.map(({ from, to, generation }) => `${generation}: ${from} to ${to}`);
const holesOf = (state: Parameters<typeof recoverable>[0], now: bigint) =>
  recoverable(state, now).holes.map(({ from, to, why }) => `${from} to ${to}: ${why}`);

describe('a log', () => {
  it('parts at what is missing in it, and not at what can be crossed', () => {
    const log = logOf(1, 10n, 90n, { cuts: [cut(50n, 60n), cut(20n, 30n), cut(70n, 80n, { crossable: true })] });
    expect(segments(log)).toEqual([
      { from: 10n, to: 20n },
      { from: 30n, to: 50n },
      { from: 60n, to: 90n },
    ]);
  });

  it('ends where the rest of it is missing, and is nothing before it was seen', () => {
    expect(segments(logOf(1, 10n, 40n, { cuts: [cut(30n, 50n)] }))).toEqual([{ from: 10n, to: 30n }]);
    expect(segments(logOf(1, null, null))).toEqual([]);
  });

  it('gives the points from its first snapshot on', () => {
    const state = { snapshots: [snapshotAt(5n), snapshotAt(20n), snapshotAt(30n)], generations: [logOf(1, 10n, 90n)] };
    expect(rangesOf(state, 100n)).toEqual(['1: 20 to 90']);
    expect(baseOf(state, 29n)).toMatchObject({ snapshot: { id: 'b20' }, generation: 1 });
    expect(baseOf(state, 30n)).toMatchObject({ snapshot: { id: 'b30' } });
    expect(baseOf(state, 19n)).toBeUndefined();
    expect(baseOf(state, 91n)).toBeUndefined();
  });

  it('gives no point inside of what can only be crossed, and those behind it from the base before', () => {
    const generations = [logOf(1, 10n, 90n, { cuts: [cut(30n, 40n, { why: 'restored', crossable: true })] })];
    const state = { snapshots: [snapshotAt(20n)], generations };
    expect(rangesOf(state, 90n)).toEqual(['1: 20 to 30', '1: 40 to 90']);
    expect(holesOf(state, 90n)).toEqual(['30 to 40: restored']);
    expect(baseOf(state, 35n)).toBeUndefined();
    expect(baseOf(state, 50n)).toMatchObject({ snapshot: { id: 'b20' } });
  });

  for (const [what, some] of [
    ['is damaged', { damagedAt: NOW }],
    ['was asked to go', { removal: 'asked', removalBy: 'retention' }],
    ['cannot be decrypted', { keyKnown: false }],
    ['is of another cluster', { upstreamClusterId: '8' }],
  ] as const)
    it(`is not replayed from a snapshot that ${what}`, () => {
      const generations = [logOf(1, 10n, 90n)];
      expect(rangesOf({ snapshots: [snapshotAt(20n, some)], generations }, 90n)).toEqual([]);
    });
});

it('joins no two logs that overlap, and takes the newer one for what both have', () => {
  const generations = [logOf(1, 10n, 60n, { open: false, endedWhy: 'replacedByHand' }), logOf(2, 40n, 90n)];
  const state = { snapshots: [snapshotAt(20n), snapshotAt(50n)], generations };
  expect(rangesOf(state, 90n)).toEqual(['1: 20 to 60', '2: 50 to 90']);
  expect(baseOf(state, 45n)).toMatchObject({ snapshot: { id: 'b20' }, generation: 1 });
  expect(baseOf(state, 55n)).toMatchObject({ snapshot: { id: 'b50' }, generation: 2 });
  expect(rangesOf({ ...state, snapshots: [snapshotAt(20n)] }, 90n)).toEqual(['1: 20 to 60']);
});

it('takes snapshot and log for those of one cluster where that of either is not on record', () => {
  for (const [ofLog, ofSnapshot] of [
    [null, ''],
    [null, '8'],
    ['7', ''],
  ] as const) {
    const generations = [logOf(1, 10n, 90n, { upstreamClusterId: ofLog })];
    const snapshots = [snapshotAt(20n, { upstreamClusterId: ofSnapshot })];
    expect(rangesOf({ snapshots, generations }, 90n)).toEqual(['1: 20 to 90']);
  }
});

it('tells of no hole where there are no logs, and of the newest point', () => {
  const snapshots = [snapshotAt(10n), snapshotAt(30n)];
  expect(recoverable({ snapshots, generations: [] }, 50n)).toMatchObject({ ranges: [], holes: [], newest: 30n });
  expect(recoverable({ snapshots, generations: [logOf(1, 20n, 48n)] }, 50n).newest).toBe(48n);
  expect(recoverable({ snapshots: [], generations: [] }, 50n).newest).toBeUndefined();
});

it('tells of each hole why it is there', () => {
  const state = {
    snapshots: [snapshotAt(5n), snapshotAt(20n), snapshotAt(70n)],
    generations: [
      logOf(1, 10n, 30n, { open: false, endedWhy: 'stopped' }),
      logOf(2, 40n, 50n, { open: false, endedWhy: 'historyLost' }),
      logOf(3, 60n, 90n, { cuts: [cut(80n, 85n)], paused: true }),
    ],
  };
  expect(rangesOf(state, 95n)).toEqual(['1: 20 to 30', '3: 70 to 80']);
  expect(holesOf(state, 95n)).toEqual([
    '5 to 10: noLog',
    '10 to 20: noBase',
    '30 to 40: stopped',
    '40 to 50: noBase',
    '50 to 60: historyLost',
    '60 to 70: noBase',
    '80 to 85: fileMissing',
    '85 to 90: noBase',
    '90 to 95: paused',
  ]);
});

describe('what is needed', () => {
  it('is the newest base that serves the whole horizon, on each side of a break', () => {
    const generations = [logOf(1, 10n, 90n, { cuts: [cut(60n, 65n)] })];
    const snapshots = [20n, 30n, 40n, 70n, 80n].map((tso) => snapshotAt(tso));
    const { bases, logFrom } = needed({ snapshots, generations }, 35n);
    expect([...bases]).toEqual([
      ['b30', [{ from: 35n, to: 60n }]],
      ['b70', [{ from: 70n, to: 90n }]],
    ]);
    expect([...logFrom]).toEqual([[1, 30n]]);
  });

  it('keeps a base whatever the policy says, truncates up to it, and says why', () => {
    const state = { snapshots: [20n, 30n, 40n, 50n].map((tso) => snapshotAt(tso)), generations: [logOf(1, 10n, 90n)] };
    const { deleteSnapshots, truncate, keepReasons } = plan(state, viewFrom(35n));
    expect(deleteSnapshots).toEqual(['b20', 'b40']);
    expect(truncate).toEqual([{ generation: 1, until: 30n }]);
    expect(keepReasons.get('b30')).toEqual(['base of the points from 35 to 90']);
    expect(keepReasons.get('b50')).toEqual(['newest good backup']);
  });

  it('is judged again when a worker would begin, as an older base may be damaged by then', () => {
    const asked = snapshotAt(30n, { removal: 'asked', removalBy: 'retention' });
    const state = (damagedAt: Date | null) => ({
      snapshots: [snapshotAt(20n, { damagedAt }), asked, snapshotAt(50n)],
      generations: [logOf(1, 10n, 90n)],
    });
    expect(whyTakeBack(state(null), 'b30', viewFrom(25n))).toEqual([]);
    expect(whyTakeBack(state(NOW), 'b30', viewFrom(25n))).toEqual(['base of the points from 30 to 90']);
  });

  it('leaves a log that somebody reads or that is being truncated', () => {
    const snapshots = [snapshotAt(20n), snapshotAt(30n)];
    for (const some of [{ holds: ['r1'] }, { truncating: { until: 20n } }])
      expect(plan({ snapshots, generations: [logOf(1, 10n, 90n, some)] }, viewFrom(35n)).truncate).toEqual([]);
    const ended = { open: false, endedWhy: 'stopped' };
    expect(plan({ snapshots, generations: [logOf(1, 10n, 32n, ended)] }, viewFrom(35n)).removeGenerations).toEqual([1]);
    const { removeGenerations, logReasons } = plan(
      { snapshots, generations: [logOf(1, 10n, 32n, { ...ended, holds: ['r1'] })] },
      viewFrom(35n),
    );
    expect(removeGenerations).toEqual([]);
    expect(logReasons.get(1)).toEqual(['in use']);
  });

  it('lets a damaged snapshot go a week after, once a newer one is good', () => {
    const foundAgo = (ms: number) => snapshotAt(20n, { damagedAt: new Date(NOW.getTime() - ms) });
    const goes = (snapshots: Parameters<typeof plan>[0]['snapshots']) =>
      plan({ snapshots, generations: [] }, viewFrom(90n)).deleteSnapshots;
    expect(goes([foundAgo(DAMAGED_STAYS_MS), snapshotAt(30n)])).toEqual(['b20']);
    expect(goes([foundAgo(DAMAGED_STAYS_MS - 1), snapshotAt(30n)])).toEqual([]);
    expect(goes([snapshotAt(10n), foundAgo(DAMAGED_STAYS_MS)])).toEqual([]);
  });

  it('lets no policy count what is damaged, is asked to go, or is of no rule', () => {
    const counted: string[] = [];
    const keptByRules: PlanView['keptByRules'] = (some) => {
      counted.push(...some.map(({ id }) => id));
      return new Map(some.map(({ id }) => [id, ['last 9']]));
    };
    const snapshots = [
      snapshotAt(1n),
      snapshotAt(2n, { damagedAt: NOW }),
      snapshotAt(3n, { removal: 'asked', removalBy: 'person' }),
      snapshotAt(4n, { origin: 'person' }),
      snapshotAt(5n, { origin: 'log' }),
      snapshotAt(6n),
    ];
    const { keepReasons } = plan({ snapshots, generations: [] }, viewFrom(0n, { keptByRules }));
    expect(counted).toEqual(['b1', 'b6']);
    expect(keepReasons.get('b1')).toEqual(['last 9']);
    expect(keepReasons.get('b4')).toEqual(['made by a person']);
    expect(keepReasons.has('b5')).toBe(false);
  });
});

describe('the removal of a snapshot', () => {
  const state = (max: bigint) => ({ snapshots: [snapshotAt(20n), snapshotAt(40n)], generations: [logOf(1, 10n, max)] });

  it('loses the points up to the next base, and nothing where another serves them', () => {
    expect(wouldLose(state(90n), 'b20', 90n)).toEqual({
      spans: [{ from: 20n, to: 39n, generation: 1, growing: false }],
      lastGood: false,
    });
    expect(wouldLose(state(90n), 'b40', 90n)).toEqual({ spans: [], lastGood: false });
  });

  it('is acknowledged by the same word while the log grows, and by another when more would go', () => {
    const alone = (max: bigint, tso = 20n) => ({ snapshots: [snapshotAt(tso)], generations: [logOf(1, 10n, max)] });
    const loss = wouldLose(alone(90n), 'b20', 90n);
    expect(loss).toEqual({ spans: [{ from: 20n, to: 90n, generation: 1, growing: true }], lastGood: true });
    expect(acknowledgementOf(wouldLose(alone(95n), 'b20', 95n))).toBe(acknowledgementOf(loss));
    expect(acknowledgementOf(wouldLose(alone(90n, 19n), 'b19', 90n))).not.toBe(acknowledgementOf(loss));
    expect(acknowledgementOf(wouldLose(state(90n), 'b20', 90n))).not.toBe(acknowledgementOf(loss));
  });
});
