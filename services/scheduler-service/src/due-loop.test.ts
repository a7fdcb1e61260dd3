import { randomUUID } from 'node:crypto';
import { connectMongo, type MongoConnection } from '@tidemark/mongo/connection';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { WindowEnd } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { Occurrence } from './catch-up.ts';
import { startDueLoop } from './due-loop.ts';
import { createOccurrenceStore, type OccurrenceStore } from './occurrence-store.ts';
import { createQuarantines } from './quarantines.ts';
import { everyDay, goodBackup, Neighbours, type NeighboursServer, serveNeighbours } from './testing/neighbours.ts';
import { startWindowEndLoop } from './window-end.ts';

const TEN = { skip: 0, limit: 10, mayBePartial: false, withoutTotal: true, exactTotal: 10, withinMs: 5_000 };

const HOUR = 3_600_000;
const TOO_LATE = { code: 'start_expired' };
const quiet = { info() {}, warn() {} };

describe('the due loop', () => {
  const stack = new AsyncDisposableStack();
  let neighbours: Neighbours;
  let server: NeighboursServer;
  let mongo: MongoConnection;
  let store: OccurrenceStore;
  let clusterId: string;
  /** How far the clock of every copy is ahead. */
  let ahead = 0;

  beforeAll(async () => {
    server = stack.use(await serveNeighbours(() => neighbours));
    mongo = stack.use(
      connectMongo({ url: inject('mongodbUrl'), database: `test-${randomUUID()}`, appName: 'test', log: quiet }),
    );
    store = createOccurrenceStore(mongo.db);
  });
  afterAll(async () => {
    await dropTestDatabase(mongo.db);
    await stack.disposeAsync();
  });
  beforeEach(async () => {
    neighbours = new Neighbours();
    ahead = 0;
    clusterId = `c-${randomUUID().slice(0, 8)}`;
    await mongo.db.collection('occurrences').deleteMany({});
  });

  /** A whole-day window that opened at the last full hour, or one that is over. */
  const due = (closedAgoMs?: number) => {
    const opensAt = new Date(Math.floor(Date.now() / HOUR) * HOUR - (closedAgoMs === undefined ? 0 : 2 * HOUR));
    const closesAt =
      closedAgoMs === undefined ? new Date(opensAt.getTime() + 24 * HOUR) : new Date(Date.now() - closedAgoMs);
    neighbours.strategies = [everyDay(clusterId, 'default', opensAt, closesAt)];
  };
  const copies = async (count: number) => {
    const running = new AsyncDisposableStack();
    for (let copy = 0; copy < count; copy += 1) {
      const backends = running.use(server.backends());
      const dependencies = {
        store,
        backends,
        now: () => new Date(Date.now() + ahead),
        pollMs: 20,
        retryMs: 50,
        skewMs: 100,
        quarantines: createQuarantines(),
      };
      running.use(startDueLoop(dependencies));
      running.use(startWindowEndLoop(dependencies));
    }
    return running;
  };
  const occurrences = async () =>
    (await store.list({ clusterIds: [clusterId], states: [] }, TEN, new Date(), AbortSignal.timeout(5_000))).rows;
  const until = (state: Occurrence['state']) =>
    vi.waitFor(
      async () => {
        const [only, ...others] = await occurrences();
        expect(others).toEqual([]);
        expect(only?.state).toBe(state);
        return only as Occurrence;
      },
      { timeout: 10_000 },
    );

  it('starts a due window once, with five copies at work', async () => {
    due();
    await using _ = await copies(5);
    const { backupId } = await until('Started');
    expect([...neighbours.started.values()]).toEqual([backupId]);
  });

  it('finds out that a start whose answer was lost has happened, and starts no second one', async () => {
    due();
    neighbours.mood = 'lost';
    await using _ = await copies(3);
    await vi.waitFor(() => expect(neighbours.started.size).toBe(1), { timeout: 10_000 });
    neighbours.mood = 'fine';
    await until('Started');
    expect(neighbours.started.size).toBe(1);
  });

  it('waits while the cluster is busy and says so, then starts', async () => {
    due();
    neighbours.mood = 'busy';
    await using _ = await copies(2);
    await vi.waitFor(async () => expect((await occurrences())[0]?.reason).toContain('is busy'), { timeout: 5_000 });
    neighbours.mood = 'fine';
    await until('Started');
  });

  it('says why nothing started while the window was open, and not that the last try came too late', async () => {
    due(1_000);
    ahead = -HOUR;
    neighbours.mood = 'busy';
    const start = vi.spyOn(neighbours, 'start');
    await using _ = await copies(2);
    await vi.waitFor(async () => expect((await occurrences())[0]?.code).toBe('CLUSTER_BUSY'), { timeout: 5_000 });
    neighbours.mood = 'fine';
    await vi.waitFor(
      () => expect(start.mock.results).toContainEqual({ type: 'throw', value: expect.objectContaining(TOO_LATE) }),
      { timeout: 5_000 },
    );
    ahead = 0;
    expect(await until('Skipped')).toMatchObject({ code: 'CLUSTER_BUSY', backupId: null });
  });

  it('finishes what a copy left after inserting the occurrence', async () => {
    due();
    neighbours.mood = 'away';
    const first = await copies(1);
    await until('Pending');
    await first.disposeAsync();
    neighbours.mood = 'fine';
    await using _ = await copies(1);
    await until('Started');
  });

  it('says that a window was missed when nobody was there while it was open (A9)', async () => {
    due(10 * 60_000);
    await using _ = await copies(2);
    expect(await until('Missed')).toMatchObject({ backupId: null, reason: expect.stringContaining('no scheduler') });
    expect(neighbours.started.size).toBe(0);
  });

  it('starts nothing for a strategy that was paused meanwhile', async () => {
    due();
    neighbours.strategies = neighbours.strategies.map((one) => ({ ...one, paused: true }));
    await using _ = await copies(1);
    await vi.waitFor(async () => expect((await occurrences())[0]?.code).toBe('STRATEGY_PAUSED'), {
      timeout: 5_000,
    });
    expect(neighbours.started.size).toBe(0);
  });

  it('after an outage starts one backup of a cluster, however many of its rules wait, and says so of the others', async () => {
    const opensAt = new Date(Math.floor(Date.now() / HOUR) * HOUR - 3 * HOUR);
    const closesAt = new Date(Date.now() + HOUR);
    neighbours.strategies = ['daily', 'weekly', 'monthly'].map((rule, index) =>
      everyDay(clusterId, rule, new Date(opensAt.getTime() + index * HOUR), closesAt),
    );
    await using _ = await copies(3);
    const untilThey = (...wanted: string[]) =>
      vi.waitFor(
        async () => {
          const all = await occurrences();
          expect(all.map(({ rule, state, code }) => `${rule} ${state} ${code}`)).toEqual(wanted);
          return all;
        },
        { timeout: 20_000 },
      );
    await untilThey('monthly Started ', 'weekly Pending CATCH_UP', 'daily Pending CATCH_UP');
    ahead = 2 * HOUR;
    const found = await untilThey('monthly Started ', 'weekly Skipped CATCH_UP', 'daily Skipped CATCH_UP');
    expect(found.every(({ late }) => late)).toBe(true);
    expect(neighbours.started.size).toBe(1);
  });

  it('after an outage begins with the clusters whose newest good backup is oldest', async () => {
    const opensAt = new Date(Math.floor(Date.now() / HOUR) * HOUR - HOUR);
    const ages = [3, 40, 1, 400, 20];
    const names = ages.map((days) => `${clusterId}-${days}`);
    neighbours.strategies = [...names, `${clusterId}-never`].map((id) =>
      everyDay(id, 'default', opensAt, new Date(Date.now() + HOUR)),
    );
    neighbours.backups = ages.map((days, index) => {
      const at = new Date(Date.now() - days * 24 * HOUR);
      return goodBackup({ id: `good-${days}`, clusterId: names[index] ?? '', startTime: at, endTime: at });
    });
    await using _ = await copies(1);
    await vi.waitFor(() => expect(neighbours.started.size).toBe(6), { timeout: 10_000 });
    const order = neighbours.requests.map((request) => request.clusterId.slice(clusterId.length + 1));
    expect(order).toEqual(['never', '400', '40', '20', '3', '1']);
  });

  it('starts with the storage and the options of the rule', async () => {
    due();
    neighbours.strategies = neighbours.strategies.map((one) => ({ ...one, storageId: 'offsite' }));
    await using _ = await copies(1);
    await until('Started');
    expect(neighbours.requests).toMatchObject([{ rule: 'default', storageId: 'offsite' }]);
  });

  it('starts the windows of all rules but the one that cannot be advanced (S5)', async () => {
    const opensAt = new Date(Math.floor(Date.now() / HOUR) * HOUR);
    const ids = ['a', 'b', 'c', 'd'].map((name) => `${clusterId}-${name}`);
    neighbours.strategies = ids.map((id) => everyDay(id, 'default', opensAt, new Date(opensAt.getTime() + 24 * HOUR)));
    neighbours.damaged.add(ids[0] ?? '');
    await using _ = await copies(2);
    await vi.waitFor(() => expect(neighbours.started.size).toBe(3), { timeout: 10_000 });
    expect(neighbours.requests.map((request) => request.clusterId).sort()).toEqual(ids.slice(1));
    neighbours.damaged.clear();
    await vi.waitFor(() => expect(neighbours.started.size).toBe(4), { timeout: 20_000 });
  }, 40_000);

  it('attends to all windows but those that are damaged, however many lead the others, and stops at their end what it should (S5)', async () => {
    due();
    const occurrences = mongo.db.collection<{ _id: string }>('occurrences');
    const long = new Date('2026-01-01T00:00:00Z');
    const damaged = { clusterId: 'x', rule: 'r', opensAt: long, startAt: long, lastGoodAt: long, closesAt: 'never' };
    const pending = { ...damaged, state: 'Pending', nextTryAt: long, late: false, code: '', stopAt: null };
    await occurrences.insertMany(Array.from({ length: 450 }, (_, at) => ({ _id: `bad-${at}`, ...pending })));
    const running = { ...damaged, state: 'Started', backupId: 'backup-of-nobody', stopAt: long };
    await occurrences.insertMany(Array.from({ length: 150 }, (_, at) => ({ _id: `ends-${at}`, ...running })));
    const good = { ...running, _id: 'ends', closesAt: long, stopAt: new Date(long.getTime() + 1), backupId: 'to-stop' };
    await occurrences.insertOne(good);
    await using _ = await copies(1);
    await vi.waitFor(() => expect(neighbours.started.size).toBe(1), { timeout: 30_000 });
    await vi.waitFor(() => expect(neighbours.canceled.map(({ id }) => id)).toEqual(['to-stop']), { timeout: 30_000 });
    const { closesAt: _none, ...unclosed } = damaged;
    expect(await occurrences.countDocuments({ ...unclosed, state: 'Pending' })).toBe(450);
  }, 70_000);

  it('stops a backup whose rule says so when its window closes, once, and lets others run', async () => {
    const opensAt = new Date(Math.floor(Date.now() / HOUR) * HOUR);
    const closesAt = new Date(Date.now() + HOUR);
    const other = `${clusterId}-runs-on`;
    neighbours.strategies = [
      { ...everyDay(clusterId, 'default', opensAt, closesAt), windowEnd: WindowEnd.WINDOW_END_STOP },
      everyDay(other, 'default', opensAt, closesAt),
    ];
    await using _ = await copies(3);
    const { backupId } = await until('Started');
    expect((await occurrences())[0]?.stopAt).toEqual(closesAt);
    expect(neighbours.canceled).toEqual([]);
    ahead = 2 * HOUR;
    await vi.waitFor(async () => expect((await occurrences())[0]?.stopAt).toBeNull(), { timeout: 10_000 });
    expect(neighbours.canceled[0]).toMatchObject({ id: backupId, clusterId, reasonCode: 'WINDOW_CLOSED' });
    expect(neighbours.canceled.map((request) => request.clusterId)).not.toContain(other);
  });
});
