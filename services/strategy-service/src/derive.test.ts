import { WEEKDAYS } from '@tidemark/schedule/weekdays';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DerivedWrite, type DeriveInput, derive } from './derive.ts';
import { type ClusterLabelsDocument, type FleetStrategyDocument, toLabels } from './fleet-strategy.ts';
import { NO_SETTINGS, plan, type StrategyDocument, strategyId } from './strategy.ts';

const AT = new Date('2026-01-06T12:00:00Z');
const daily = [...WEEKDAYS];
const stamps = { createTime: AT, updateTime: AT, updatedBy: 'test' };
const cluster = (labels: Record<string, string>, timeZone = ''): ClusterLabelsDocument => ({
  _id: 'c',
  labels: toLabels(labels),
  timeZone,
  pending: '',
});
const fleet = (_id: string, fields: Partial<FleetStrategyDocument> = {}): FleetStrategyDocument => ({
  ...NO_SETTINGS,
  ...stamps,
  _id,
  days: daily,
  selector: toLabels({ env: 'prod' }),
  priority: 0,
  rule: 'default',
  revision: 1,
  appliedRevision: 0,
  deleting: false,
  ...fields,
});
const own = (rule: string, fields: Partial<StrategyDocument> = {}): StrategyDocument => ({
  ...NO_SETTINGS,
  ...stamps,
  timeZone: 'UTC',
  days: daily,
  _id: strategyId('c', rule),
  clusterId: 'c',
  rule,
  nextWindow: null,
  lastTaken: null,
  fleetStrategy: '',
  fleetPaused: false,
  createdIn: '',
  resumedAt: null,
  revision: 1,
  ...fields,
});
const run = (fields: Partial<DeriveInput>) =>
  derive({
    cluster: cluster({ env: 'prod' }),
    rules: [],
    fleet: [],
    at: AT,
    timeZone: 'Asia/Tokyo',
    spreadMs: 0,
    ...fields,
  });
const after = (rules: readonly StrategyDocument[], writes: readonly DerivedWrite[]) => [
  ...rules.filter((rule) => !writes.some(({ before }) => before?._id === rule._id)),
  ...writes.flatMap((write) => (write.after ? [write.after] : [])),
];

describe('a cluster', () => {
  it('gets the rule of a strategy all of whose labels it has, and of no other', () => {
    const both = fleet('both', { selector: toLabels({ env: 'prod', tier: '1' }), rule: 'extra' });
    expect(run({ fleet: [fleet('prod'), both] }).map((write) => write.after?._id)).toEqual(['c:default']);
    const all = run({ cluster: cluster({ env: 'prod', tier: '1', more: 'x' }), fleet: [fleet('prod'), both] });
    expect(all.map((write) => write.after?.rule).sort()).toEqual(['default', 'extra']);
  });
  it('gets, of several for one rule, that of the highest priority, then the first by name (D2)', () => {
    const winner = (...some: FleetStrategyDocument[]) => run({ fleet: some })[0]?.after?.fleetStrategy;
    expect(winner(fleet('b'), fleet('a'), fleet('c', { priority: 5 }))).toBe('c');
    expect(winner(fleet('b'), fleet('a'), fleet('c', { priority: -5 }))).toBe('a');
    expect(winner(fleet('b'), fleet('a', { deleting: true }))).toBe('b');
  });
  it('keeps its own rule of that name, also where case differs (D1)', () => {
    expect(run({ rules: [own('default')], fleet: [fleet('prod')] })).toEqual([]);
    expect(run({ rules: [own('Nightly')], fleet: [fleet('prod', { rule: 'nightly' })] })).toEqual([]);
  });
  it('loses a rule whose strategy reaches it no more, and nothing of its own (D3)', () => {
    const rules = [own('default', { fleetStrategy: 'prod' }), own('mine')];
    for (const gone of [
      { cluster: cluster({ env: 'dev' }), fleet: [fleet('prod')] },
      { fleet: [fleet('prod', { deleting: true })] },
      { fleet: [] },
      { cluster: undefined, fleet: [fleet('prod')] },
    ])
      expect(run({ rules, ...gone })).toEqual([{ before: rules[0] }]);
  });
  it('takes the zone of the strategy, else its own, else that of Tidemark', () => {
    const zone = (fields: Partial<DeriveInput>) => run(fields)[0]?.after?.timeZone;
    expect(zone({ fleet: [fleet('prod', { timeZone: 'UTC' })] })).toBe('UTC');
    expect(zone({ fleet: [fleet('prod')], cluster: cluster({ env: 'prod' }, 'Europe/Rome') })).toBe('Europe/Rome');
    expect(zone({ fleet: [fleet('prod')] })).toBe('Asia/Tokyo');
  });
});

describe('deriving', () => {
  const open = { days: daily, period: '0:00-24:00', timeZone: 'UTC' };

  it('starts nothing: a window that is open now does not count (D5)', () => {
    const [write] = run({ fleet: [fleet('prod', open)] });
    expect(write?.after?.nextWindow?.opensAt).toEqual(new Date('2026-01-07T00:00:00Z'));
  });
  it('keeps a planned window, also one that is due, while days, hours and zone stay (D5)', () => {
    const rule = own('default', { ...open, fleetStrategy: 'prod' });
    const nextWindow = plan(rule, AT, true, 0);
    const [write] = run({ rules: [{ ...rule, nextWindow }], fleet: [fleet('prod', { ...open, storageId: 's3' })] });
    expect(nextWindow?.opensAt.getTime()).toBeLessThan(AT.getTime());
    expect(write?.after).toMatchObject({ storageId: 's3', nextWindow, revision: 2 });
  });
  it('keeps the cluster’s own pause and the last window taken up (D6)', () => {
    const lastTaken = { opensAt: AT, closesAt: AT, date: '2026-01-06' };
    const rules = [own('default', { fleetStrategy: 'prod', paused: true, lastTaken })];
    const [write] = run({ rules, fleet: [fleet('other', { paused: true })] });
    expect(write?.after).toMatchObject({ paused: true, fleetPaused: true, lastTaken, fleetStrategy: 'other' });
  });
  it('plans no window on a day that was served before the strategy moved its hours', () => {
    const lastTaken = { opensAt: AT, closesAt: AT, date: '2026-01-06' };
    const rules = [own('default', { ...open, fleetStrategy: 'prod', lastTaken })];
    const [write] = run({ rules, fleet: [fleet('prod', { ...open, period: '20:00-21:00' })] });
    expect(write?.after?.nextWindow?.opensAt).toEqual(new Date('2026-01-07T20:00:00Z'));
  });
  it('falls back to the strategy for labels when an own rule is dropped, with what was taken up but not its pause', () => {
    const lastTaken = { opensAt: AT, closesAt: AT, date: '2026-01-06' };
    const rules = [own('default', { paused: true, lastTaken, revision: 7 })];
    expect(run({ rules, fleet: [fleet('prod')], drop: 'default' })).toMatchObject([
      { before: rules[0], after: { fleetStrategy: 'prod', paused: false, lastTaken, revision: 8 } },
    ]);
    expect(run({ rules, fleet: [], drop: 'default' })).toEqual([{ before: rules[0] }]);
  });

  const names = fc.constantFrom('a', 'b', 'A', 'default');
  const labels = fc.dictionary(fc.constantFrom('env', 'tier'), fc.constantFrom('1', '2'), { maxKeys: 2 });
  const strategies = fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('f1', 'f2', 'f3', 'f4'),
      labels,
      rule: names,
      priority: fc.integer({ min: 0, max: 2 }),
      paused: fc.boolean(),
      deleting: fc.boolean(),
      period: fc.constantFrom('1:00-2:00', '0:00-24:00'),
    }),
    { selector: ({ name }) => name },
  );

  it('follows how often the strategy has backups verified, and rewrites nothing for a record from before that was there', () => {
    const given = after([], run({ fleet: [fleet('nightly')] }));
    const verify = { level: 'bytes', everyDays: 7, sample: 0.1, rateLimit: 0 } as const;
    const told = after(given, run({ rules: given, fleet: [fleet('nightly', { verify })] }));
    expect(told.map((rule) => rule.verify)).toEqual([verify]);
    const { verify: _, ...older } = fleet('nightly');
    expect(run({ rules: given, fleet: [older as FleetStrategyDocument] })).toEqual([]);
  });

  it('once is deriving twice, and every rule is the best there is, from any state before (D4)', () => {
    fc.assert(
      fc.property(labels, strategies, strategies, fc.uniqueArray(names), (has, first, then, ownNames) => {
        const documents = (some: typeof first) =>
          some.map(({ name, labels: selector, ...fields }) => fleet(name, { selector: toLabels(selector), ...fields }));
        const ours = ownNames.map((name) => own(name));
        const step = (rules: StrategyDocument[], some: typeof first) =>
          after(rules, run({ cluster: cluster(has), rules, fleet: documents(some) }));
        const old = step(ours, first);
        const fresh = step(old, then);
        expect(run({ cluster: cluster(has), rules: fresh, fleet: documents(then) })).toEqual([]);
        const shape = (rules: StrategyDocument[]) =>
          rules
            .map(({ rule, fleetStrategy, fleetPaused, period }) => [rule, fleetStrategy, fleetPaused, period])
            .sort();
        expect(shape(fresh)).toEqual(shape(step(ours, then)));
        expect(new Set(fresh.map(({ _id }) => _id)).size).toBe(fresh.length);
      }),
      { numRuns: 300 },
    );
  });
});
