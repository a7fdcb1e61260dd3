import { type LogAlarm, LogState, LogWish } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import type { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { Strategy as StrategyMessage } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { describe, expect, it } from 'vitest';
import { type ClusterLog, newestPoint, toldOfLog, worstAlarm } from './cluster-log.ts';
import type { FleetCluster } from './fleet.ts';
import { digestOf, type FleetFilter, fleetPage, fromToken, orderOf, toToken } from './fleet-page.ts';
import { verdictOf } from './fleet-verdict.ts';

const now = new Date('2026-12-01T12:00:00Z');
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000);
const DAILY = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
const rule = (fields: Partial<Strategy> = {}) =>
  StrategyMessage.create({ days: DAILY, nextWindow: { opensAt: hoursAgo(-10) }, ...fields });
const cluster = (fields: Partial<FleetCluster> = {}): FleetCluster => ({
  ...{ name: '', labels: {}, registeredAt: hoursAgo(1_000), rules: [rule()], noted: '' },
  newest: { endedAt: hoursAgo(10) },
  ...fields,
});
const unprotected = ({ newest: _, ...rest }: FleetCluster): FleetCluster => rest;
const ALL: FleetFilter = { clusterIds: [], labels: {}, verdicts: [], logs: [], text: '' };
const pageOf = (
  clusters: Record<string, FleetCluster>,
  ...asked: Parameters<typeof fleetPage> extends [unknown, unknown, ...infer Rest] ? Rest : never
) => {
  const all = new Map(Object.entries(clusters));
  return fleetPage(orderOf(all, now), all, ...asked);
};
const show = (clusters: Record<string, FleetCluster>, filter: Partial<FleetFilter> = {}, size = 100) =>
  pageOf(clusters, { ...ALL, ...filter }, { behind: undefined, size });
const idsOf = (...asked: Parameters<typeof show>) => show(...asked).places.map(({ id }) => id);

describe('the verdict on a cluster', () => {
  it.each([
    ['inTime', 33.9],
    ['late', 34.1],
    ['late', 51.9],
    ['veryLate', 52.1],
  ])('with daily windows is %s %d hours after its newest good backup', (verdict, hours) =>
    expect(verdictOf(cluster({ newest: { endedAt: hoursAgo(hours) } }), now)).toBe(verdict),
  );

  it('is never while it has none, and a plan', () => expect(verdictOf(unprotected(cluster()), now)).toBe('never'));

  it.each([
    ['no rules', []],
    ['a paused rule alone', [rule({ nextWindow: undefined })]],
  ])('is that nothing is planned for one with %s', (_, rules) =>
    expect(verdictOf(cluster({ rules }), now)).toBe('noPlan'),
  );
});

describe('a page of the fleet', () => {
  const clusters = {
    fine: cluster(),
    old: cluster({ newest: { endedAt: hoursAgo(300) } }),
    older: cluster({ newest: { endedAt: hoursAgo(400) } }),
    late: cluster({ newest: { endedAt: hoursAgo(40) }, labels: { env: 'prod', team: 'a' } }),
    none: unprotected(cluster({ name: 'Orders', labels: { env: 'prod' } })),
    unplanned: cluster({ rules: [] }),
  };

  it('begins with the least safe, and of these with those that were left longest', () =>
    expect(idsOf(clusters)).toEqual(['none', 'older', 'old', 'late', 'unplanned', 'fine']));

  it('counts each verdict over all pages, whichever are shown', () => {
    const { counts, more } = show(clusters, { verdicts: ['late'] }, 1);
    expect(Object.fromEntries(counts)).toEqual({ never: 1, veryLate: 2, late: 1, noPlan: 1, inTime: 1 });
    expect(more).toBe(false);
  });

  describe('with log backups', () => {
    const stopped = { name: 'logMissing', critical: true, message: 'The task is gone.' };
    const paused = { name: 'logPausedByHand', critical: false, message: 'Somebody paused it.' };
    const log = (fields: Partial<ClusterLog> = {}): ClusterLog => ({
      ...{ wanted: LogWish.LOG_WISH_ON, state: LogState.LOG_STATE_RUNNING, healthy: true, alarms: [], asides: [] },
      ...{ spans: [], changedAt: now },
      ...fields,
    });
    const logged = {
      ...clusters,
      healthy: cluster({ log: log() }),
      aside: cluster({ log: log({ asides: [paused] }) }),
      begun: cluster({ log: log({ healthy: false, state: LogState.LOG_STATE_OFF }) }),
      halted: cluster({ log: log({ healthy: false, alarms: [paused] }) }),
      stopped: cluster({ log: log({ healthy: false, alarms: [paused, stopped] }) }),
      noMore: cluster({ log: log({ wanted: LogWish.LOG_WISH_OFF, healthy: false, asides: [paused] }) }),
    };

    it('has one that is in time by its backups, and whose log stands, among those that are late', () =>
      expect(idsOf(logged).slice(0, 7)).toEqual(['none', 'older', 'old', 'stopped', 'late', 'halted', 'unplanned']));

    it('counts how the logs stand, whichever are shown, and narrows to them', () => {
      const { logCounts, places } = show(logged, { logs: ['critical', 'warning'] });
      expect(Object.fromEntries(logCounts)).toEqual({ critical: 1, warning: 1, waiting: 1, healthy: 2, off: 7 });
      expect(places.map(({ id }) => id)).toEqual(['stopped', 'halted']);
      expect(idsOf(logged, { logs: ['waiting'] })).toEqual(['begun']);
      expect(idsOf(logged, { logs: ['off'], verdicts: ['inTime'] })).toEqual(['fine', 'noMore']);
    });

    it('tells the critical alarm, and of those that are as bad the cause before the lag that comes of it', () => {
      const lag = { name: 'logLagging', critical: false, message: '' };
      const worst = (...alarms: LogAlarm[]) => worstAlarm(log({ alarms, asides: [lag] }))?.name;
      expect(worst(lag, paused)).toBe('logPausedByHand');
      expect(worst({ ...lag, critical: true }, paused)).toBe('logLagging');
      expect(worst(paused, stopped)).toBe('logMissing');
      expect(worst()).toBe('logLagging');
    });

    it('brings a cluster back to the end of the log in which its newest backup lies', () => {
      const spans = [
        { from: hoursAgo(90), to: hoursAgo(50) },
        { from: hoursAgo(12), to: hoursAgo(1) },
      ];
      const newest = (point: Date | undefined) => newestPoint(point, log({ spans }));
      expect(newest(hoursAgo(10))).toEqual(hoursAgo(1));
      expect(newest(hoursAgo(0.5))).toEqual(hoursAgo(0.5));
      expect(newest(hoursAgo(20))).toEqual(hoursAgo(20));
      expect(newest(hoursAgo(60))).toEqual(hoursAgo(50));
      expect(newest(undefined)).toBeUndefined();
    });

    it('tells those who watch anew of what stands otherwise, and of the newest moment once it moved far, but of no seconds', () => {
      const told = (fields: Partial<ClusterLog>, hours = 0) =>
        toldOfLog(log({ spans: [{ from: hoursAgo(20), to: hoursAgo(hours) }], ...fields }), hoursAgo(10));
      expect(told({ alarms: [paused] })).toBe(told({ alarms: [{ ...paused, message: 'For 7 s.' }] }));
      expect(told({})).toBe(told({}, -0.01));
      expect(told({})).not.toBe(told({}, -0.1));
      expect(told({})).not.toBe(told({ alarms: [paused] }));
    });
  });

  it.each<[string, Partial<FleetFilter>, string[]]>([
    ['ids', { clusterIds: ['fine', 'old', 'gone'] }, ['old', 'fine']],
    ['all labels', { labels: { env: 'prod', team: 'a' } }, ['late']],
    ['verdicts', { verdicts: ['inTime', 'never'] }, ['none', 'fine']],
    ['a part of the name, whatever the case', { text: 'ORD' }, ['none']],
    ['a part of the id', { text: 'old' }, ['older', 'old']],
  ])('narrows to %s', (_, filter, ids) => expect(idsOf(clusters, filter)).toEqual(ids));

  it('goes on behind a token without a row twice or left out, also where the last row is gone', () => {
    const digest = digestOf(ALL);
    const first = show(clusters, {}, 2);
    expect(first.more).toBe(true);
    const last = first.places[1];
    const behind = last && fromToken(toToken(last, digest), digest);
    const { older: _, ...left } = clusters;
    const rest = pageOf(left, ALL, { behind, size: 100 });
    expect(rest.places.map(({ id }) => id)).toEqual(['old', 'late', 'unplanned', 'fine']);
  });

  it('goes on although the clusters changed that the caller sees, and shows only what that one sees now', () => {
    const seen = (clusterIds: readonly string[]) => ({ ...ALL, clusterIds, withinSight: true });
    const before = seen(['late', 'none', 'old']);
    const [none] = show(clusters, before).places;
    if (!none) throw new Error('the page is empty');
    const after = seen(['fine', 'late', 'none']);
    const behind = fromToken(toToken(none, digestOf(before)), digestOf(after));
    expect(none).toMatchObject({ ...behind });
    const rest = pageOf(clusters, after, { behind, size: 100 });
    expect(rest.places.map(({ id }) => id)).toEqual(['late', 'fine']);
    expect(digestOf({ ...after, withinSight: false })).not.toBe(digestOf(before));
  });

  it.each(['', 'x', 'WyJhIl0', Buffer.from('[1,2,3,4]').toString('base64url')])(
    'takes no token that is none of it: %j',
    (token) => expect(fromToken(token, digestOf(ALL))).toBeUndefined(),
  );

  it('takes no token of other filters', () => {
    const [place] = show(clusters).places;
    if (!place) throw new Error('the page is empty');
    const token = toToken(place, digestOf({ ...ALL, text: 'a' }));
    expect(fromToken(token, digestOf(ALL))).toBeUndefined();
  });
});
