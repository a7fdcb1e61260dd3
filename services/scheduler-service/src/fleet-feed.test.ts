import { ChangedBackup, ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { LogStanding, LogState, LogWish } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  FleetLogVerdict,
  FleetVerdict,
  WatchFleetRequest,
  type WatchFleetResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createActivities } from './activities.ts';
import type { Backends } from './backends.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { createFleetFeed, type FleetFeed } from './fleet-feed.ts';
import { createQuarantines } from './quarantines.ts';
import { watchFleet } from './rpc/watch-fleet.ts';
import { everyDay, goodBackup, Neighbours, type NeighboursServer, serveNeighbours } from './testing/neighbours.ts';

const HOUR = 3_600_000;
const LONG = { timeout: 10_000, interval: 50 };

/** A copy of scheduler-service, as far as the fleet goes. */
interface Copy {
  readonly fleet: Fleet;
  readonly feed: FleetFeed;
}

/** One that watches, as a client does: the messages one by one. */
interface Watching extends AsyncDisposable {
  next(): Promise<WatchFleetResponse>;
  /** All messages up to one with a cursor, as one. */
  whole(): Promise<WatchFleetResponse>;
}

describe('who watches the fleet', () => {
  let neighbours: Neighbours;
  let server: NeighboursServer;
  let backends: Backends;
  let passedMs: number;
  let revision = 0n;
  beforeAll(async () => {
    server = await serveNeighbours(() => neighbours);
    backends = server.backends();
  });
  afterAll(async () => {
    backends[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    neighbours = new Neighbours();
    passedMs = 0;
    for (const id of ['a', 'b', 'c']) register(id);
    neighbours.backups = [goodBackup({ id: 'good-a', clusterId: 'a' })];
  });

  const signal = new AbortController().signal;
  const now = () => new Date(Date.now() + passedMs);
  const hence = (hours: number) => new Date(Date.now() + hours * HOUR);
  function register(id: string) {
    neighbours.clusters.push(
      Cluster.create({ id, labels: { env: id === 'a' ? 'prod' : 'dev' }, createTime: hence(-24) }),
    );
    neighbours.strategies.push(everyDay(id, 'default', hence(1), hence(2)));
  }
  /** A backup of a cluster changes. */
  function changes(clusterId: string, percent: number) {
    revision += 1n;
    const at = new Date();
    neighbours.changedBackups = [
      ...neighbours.changedBackups.filter((one) => one.clusterId !== clusterId),
      ChangedBackup.create({ backupId: `run-${clusterId}`, clusterId, revision, updateTime: at, endTime: at }),
    ];
    const progress = { step: 'Checksum', percent, speed: '', elapsed: '' };
    neighbours.activities.set(
      clusterId,
      ClusterActivity.fromPartial({ clusterId, active: { backupId: `run-${clusterId}`, progress } }),
    );
  }
  async function copy(): Promise<Copy> {
    const fleet = createFleet({ backends, quarantines: createQuarantines(), now });
    await fleet.rebuild(signal);
    return { fleet, feed: createFleetFeed({ fleet, backends, now }) };
  }
  function watch({ fleet, feed }: Copy, request: Partial<WatchFleetRequest> = {}, heartbeatMs = 60_000): Watching {
    const leave = new AbortController();
    const context = { signal: leave.signal, requestId: 'r', caller: 'test' } as CallContext;
    const activities = createActivities({ backends, now });
    const messages = watchFleet({ fleet, feed, activities, backends, now, heartbeatMs })(
      WatchFleetRequest.create(request),
      context,
    );
    const next = async () => {
      const { value, done } = await messages.next();
      if (done) throw new Error('the stream ended');
      return value;
    };
    return {
      next,
      async whole() {
        let whole = await next();
        while (whole.cursor === '') {
          const more = await next();
          const goneClusterIds = [...whole.goneClusterIds, ...more.goneClusterIds];
          whole = { ...more, restart: whole.restart, rows: [...whole.rows, ...more.rows], goneClusterIds };
        }
        return whole;
      },
      async [Symbol.asyncDispose]() {
        leave.abort();
        await messages.return(undefined).catch(() => undefined);
      },
    };
  }
  const idsOf = ({ rows }: WatchFleetResponse) => rows.map(({ clusterId }) => clusterId);
  const countsOf = ({ counts }: WatchFleetResponse) =>
    Object.fromEntries(counts.filter(({ count }) => count > 0).map(({ verdict, count }) => [verdict, count]));

  it('is told all clusters, the least safe first, and then what changes', async () => {
    const here = await copy();
    await using watching = watch(here);
    const all = await watching.whole();
    expect(all.restart).toBe(true);
    expect(idsOf(all)).toEqual(['b', 'c', 'a']);
    expect(countsOf(all)).toEqual({ [FleetVerdict.FLEET_VERDICT_NEVER]: 2, [FleetVerdict.FLEET_VERDICT_IN_TIME]: 1 });

    changes('b', 40);
    await here.feed.round(signal);
    const change = await watching.whole();
    expect(change).toMatchObject({ restart: false, rows: [{ clusterId: 'b', active: { progress: { percent: 40 } } }] });
    expect(change.asOf?.getTime()).toBeGreaterThanOrEqual(all.asOf?.getTime() ?? 0);
  });

  it('is told of clusters that come and go, and of a verdict that time changes', async () => {
    const here = await copy();
    await using watching = watch(here);
    await watching.whole();
    register('d');
    neighbours.clusters = neighbours.clusters.filter(({ id }) => id !== 'c');
    await here.fleet.rebuild(signal);
    await here.feed.round(signal);
    const moved = await watching.whole();
    expect([idsOf(moved), moved.goneClusterIds]).toEqual([['d'], ['c']]);

    passedMs = 35 * HOUR;
    await here.feed.round(signal);
    const late = await watching.whole();
    expect(late.rows).toMatchObject([{ clusterId: 'a', verdict: FleetVerdict.FLEET_VERDICT_LATE }]);
    expect(countsOf(late)).toEqual({ [FleetVerdict.FLEET_VERDICT_NEVER]: 2, [FleetVerdict.FLEET_VERDICT_LATE]: 1 });
  });

  it('is told how log backups stand, when that changes, and of one that is none any more', async () => {
    const log = (fields: Partial<LogStanding> = {}) =>
      LogStanding.create({
        ...{ clusterId: 'a', wanted: LogWish.LOG_WISH_ON, state: LogState.LOG_STATE_RUNNING, healthy: true },
        spans: [{ fromTime: hence(-9), toTime: hence(0) }],
        ...fields,
      });
    const lag = { name: 'logLagging', critical: true, message: 'It is complete up to noon.' };
    neighbours.snapshots.set('good-a', hence(-8));
    neighbours.logs = [LogStanding.create({ clusterId: 'nobody' }), log()];
    const here = await copy();
    const news = async (watching: Watching) => {
      const { logsAsOf } = here.fleet;
      await vi.waitFor(async () => {
        await here.fleet.refresh(new Set(), signal);
        expect(here.fleet.logsAsOf).not.toBe(logsAsOf);
      }, LONG);
      await here.feed.round(signal);
      return watching.whole();
    };
    await using watching = watch(here);
    const all = await watching.whole();
    const logCountsOf = ({ logCounts }: WatchFleetResponse) =>
      Object.fromEntries(logCounts.filter(({ count }) => count > 0).map(({ verdict, count }) => [verdict, count]));
    const { FLEET_LOG_VERDICT_HEALTHY, FLEET_LOG_VERDICT_CRITICAL, FLEET_LOG_VERDICT_OFF } = FleetLogVerdict;
    expect(all.rows.find(({ clusterId }) => clusterId === 'a')).toMatchObject({
      log: { verdict: FLEET_LOG_VERDICT_HEALTHY, wanted: LogWish.LOG_WISH_ON, alarm: undefined },
      newestPointTime: neighbours.logs[1]?.spans[0]?.toTime,
    });
    expect(logCountsOf(all)).toEqual({ [FLEET_LOG_VERDICT_HEALTHY]: 1, [FLEET_LOG_VERDICT_OFF]: 2 });

    neighbours.logs = [log({ healthy: false, alarms: [lag] })];
    const bad = await news(watching);
    expect(bad.rows).toMatchObject([{ clusterId: 'a', log: { verdict: FLEET_LOG_VERDICT_CRITICAL, alarm: lag } }]);
    expect(logCountsOf(bad)).toEqual({ [FLEET_LOG_VERDICT_CRITICAL]: 1, [FLEET_LOG_VERDICT_OFF]: 2 });
    // Who was away meanwhile is told of it, though nothing else changed.
    const { strategies } = neighbours;
    neighbours.strategies = [];
    for (const id of ['a', 'b', 'c']) neighbours.unreadable.add(id);
    await using later = watch(here, { cursor: all.cursor });
    expect((await later.whole()).rows).toMatchObject([{ clusterId: 'a', log: { alarm: lag } }]);
    neighbours.strategies = strategies;
    neighbours.unreadable.clear();

    neighbours.logs = [];
    expect((await news(watching)).rows).toMatchObject([{ clusterId: 'a', log: undefined }]);
  });

  it('is told of the fleet although how logs stand cannot be asked for', async () => {
    neighbours.logs = undefined;
    await using watching = watch(await copy());
    expect(idsOf(await watching.whole())).toEqual(['b', 'c', 'a']);
  });

  it('costs one question for all in each round, and none while nobody watches (FF1)', async () => {
    const here = await copy();
    const crowd = Array.from({ length: 50 }, () => watch(here));
    await Promise.all(crowd.map((one) => one.whole()));
    const before = [neighbours.rounds, neighbours.activitiesAsked.length] as const;
    await here.feed.round(signal);
    await here.fleet.rebuild(signal);
    await here.feed.round(signal);
    // The rebuild itself asks for no change of backups.
    expect([neighbours.rounds, neighbours.activitiesAsked.length]).toEqual([before[0] + 2, before[1]]);

    changes('c', 1);
    await here.feed.round(signal);
    expect(neighbours.activitiesAsked.slice(before[1])).toEqual(['c']);
    for (const one of crowd) {
      expect(idsOf(await one.whole())).toEqual(['c']);
      await one[Symbol.asyncDispose]();
    }
    const asked = neighbours.rounds;
    await here.feed.round(signal);
    expect(neighbours.rounds).toBe(asked);
  });

  it('hears at times that nothing changed', async () => {
    await using watching = watch(await copy(), {}, 5);
    await watching.whole();
    const beat = await watching.next();
    expect(beat).toMatchObject({ rows: [], goneClusterIds: [], cursor: expect.stringMatching(/\S/) });
  });

  it('is told the latest change of a cluster alone where it reads slowly (FF4)', async () => {
    const here = await copy();
    await using watching = watch(here);
    await watching.whole();
    for (let percent = 1; percent <= 20; percent += 1) {
      changes('b', percent);
      await here.feed.round(signal);
    }
    const change = await watching.whole();
    expect(change.rows).toMatchObject([{ clusterId: 'b', active: { progress: { percent: 20 } } }]);
  });

  it('is told again what a round could not hand out (FF3)', async () => {
    const here = await copy();
    await using watching = watch(here);
    const { asOf } = await watching.whole();
    changes('b', 7);
    neighbours.refusals = Number.POSITIVE_INFINITY;
    await expect(here.feed.round(signal)).rejects.toMatchObject({ code: 'unavailable' });
    neighbours.refusals = 0;
    await here.feed.round(signal);
    const change = await watching.whole();
    expect(idsOf(change)).toEqual(['b']);
    expect(change.asOf?.getTime()).toBeGreaterThanOrEqual(asOf?.getTime() ?? 0);
  });

  it('is told of its own clusters alone, in counts too', async () => {
    const here = await copy();
    await using watching = watch(here, { clusterIds: ['a'], withinSight: true });
    const all = await watching.whole();
    expect([idsOf(all), countsOf(all)]).toEqual([['a'], { [FleetVerdict.FLEET_VERDICT_IN_TIME]: 1 }]);
    changes('b', 1);
    await here.feed.round(signal);
    changes('a', 2);
    await here.feed.round(signal);
    expect(idsOf(await watching.whole())).toEqual(['a']);
    expect(neighbours.activitiesAsked).not.toContain('b');
  });

  it('is told that a cluster is among those asked for no longer when it loses the label', async () => {
    const here = await copy();
    await using watching = watch(here, { labels: { env: 'prod' } });
    expect(idsOf(await watching.whole())).toEqual(['a']);
    neighbours.clusters = neighbours.clusters.map((one) => ({
      ...one,
      labels: { env: one.id === 'b' ? 'prod' : 'dev' },
    }));
    await here.fleet.rebuild(signal);
    await here.feed.round(signal);
    const moved = await watching.whole();
    expect([idsOf(moved), moved.goneClusterIds]).toEqual([['b'], ['a']]);
  });

  describe('with a cursor', () => {
    async function cursorOf(here: Copy, request: Partial<WatchFleetRequest> = {}) {
      await using watching = watch(here, request);
      return (await watching.whole()).cursor;
    }
    it('goes on at another copy', async () => {
      const cursor = await cursorOf(await copy());
      changes('b', 9);
      await using watching = watch(await copy(), { cursor });
      const since = await watching.whole();
      expect(since.restart).toBe(false);
      expect(since.rows).toContainEqual(expect.objectContaining({ clusterId: 'b', active: expect.anything() }));
    });

    it('is refused when clusters went or came since, so that none is missing and none too many', async () => {
      const cursor = await cursorOf(await copy());
      neighbours.clusters = neighbours.clusters.filter(({ id }) => id !== 'c');
      await using watching = watch(await copy(), { cursor });
      await expect(watching.next()).rejects.toMatchObject({ code: 'cursor_too_old' });
    });

    it('is refused when it is old', async () => {
      const here = await copy();
      const cursor = await cursorOf(here);
      passedMs = HOUR;
      await using watching = watch(here, { cursor });
      await expect(watching.next()).rejects.toMatchObject({ code: 'cursor_too_old' });
    });

    it.each<[string, (cursor: string) => Partial<WatchFleetRequest>]>([
      ['of other labels', (cursor) => ({ cursor, labels: { env: 'prod' } })],
      ['of other clusters that were asked for', (cursor) => ({ cursor, clusterIds: ['a'] })],
      ['that is cut', (cursor) => ({ cursor: cursor.slice(0, -4) })],
    ])('%s is named as wrong', async (_, request) => {
      const here = await copy();
      await using watching = watch(here, request(await cursorOf(here)));
      await expect(watching.next()).rejects.toMatchObject({
        code: 'invalid_argument',
        details: { fields: [{ field: 'cursor' }] },
      });
    });
  });
});
