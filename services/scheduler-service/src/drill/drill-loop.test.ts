/** Drills over a real database, with their neighbours and a hook on the wire. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connectMongo, type MongoConnection } from '@tidemark/mongo/connection';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { Backup, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { Cluster, ClusterPurpose } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  type Restore,
  RestoreChecksums,
  RestoreState,
  TargetState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { Backends } from '../backends.ts';
import { toNetwork } from '../notification/addresses.ts';
import { createQuarantines } from '../quarantines.ts';
import { goodBackup, Neighbours, type NeighboursServer, serveNeighbours } from '../testing/neighbours.ts';
import type { Drill } from './decide/drill.ts';
import { type DrillRun, freshRun, isDecided, windowRunId } from './decide/run.ts';
import { startDrillLoop } from './drill-loop.ts';
import { createDrillStore, type DrillStore } from './drill-store.ts';
import { askToEmpty } from './empty-hook.ts';
import { attendToRun } from './run-steps.ts';

const HOUR = 3_600_000;
const quiet = { info() {}, warn() {} };
const forever = () => AbortSignal.timeout(20_000);

describe('drills', () => {
  const stack = new AsyncDisposableStack();
  let neighbours: Neighbours;
  let server: NeighboursServer;
  let mongo: MongoConnection;
  let store: DrillStore;
  let backends: Backends;
  let hook = { url: '', answers: [] as number[], asked: [] as Record<string, unknown>[], whileRestoring: 0 };
  let clusterId: string;
  let target: string;
  /** How far the clock of the scheduler is ahead. */
  let ahead = 0;

  beforeAll(async () => {
    server = stack.use(await serveNeighbours(() => neighbours));
    backends = stack.use(server.backends());
    mongo = stack.use(
      connectMongo({ url: inject('mongodbUrl'), database: `test-${randomUUID()}`, appName: 'test', log: quiet }),
    );
    store = createDrillStore(mongo.db);
    const http = createServer((request, response) => {
      let body = '';
      request.on('data', (piece) => {
        body += piece;
      });
      request.on('end', () => {
        hook.asked.push({ ...JSON.parse(body), signature: request.headers['webhook-signature'] });
        if (neighbours.restores.some(({ state }) => state === RestoreState.RESTORE_STATE_RUNNING))
          hook.whileRestoring += 1;
        response.writeHead(hook.answers.shift() ?? 204).end();
      });
    });
    await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
    stack.defer(() => {
      http.closeAllConnections();
      http.close();
    });
    hook.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
  });
  afterAll(async () => {
    await dropTestDatabase(mongo.db);
    await stack.disposeAsync();
  });
  beforeEach(async () => {
    neighbours = new Neighbours();
    hook = { url: hook.url, answers: [], asked: [], whileRestoring: 0 };
    ahead = 0;
    clusterId = `c-${randomUUID().slice(0, 8)}`;
    target = `${clusterId}-scratch`;
    neighbours.clusters = [
      Cluster.create({ id: clusterId }),
      Cluster.create({ id: target, purpose: ClusterPurpose.CLUSTER_PURPOSE_SCRATCH }),
    ];
    neighbours.backups = [goodBackup({ id: 'good', clusterId, startTime: new Date('2026-01-01T00:00:00Z') })];
    for (const name of ['drills', 'drill_runs', 'drill_targets', 'drill_proofs'])
      await mongo.db.collection(name).deleteMany({});
  });

  const now = () => new Date(Date.now() + ahead);
  const dependencies = () => ({
    ...{ store, backends, now, pollMs: 20, retryMs: 40, skewMs: 100, quarantines: createQuarantines() },
    networks: [toNetwork('127.0.0.0/8')].filter((network) => network !== undefined),
    env: { DRILL_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}` },
  });
  const emptyHook = () => ({ url: hook.url, secrets: { kind: 'envPrefix', prefix: 'DRILL_' } }) as const;
  const saved = async (fields: Partial<Drill> = {}): Promise<Drill> => {
    const at = new Date();
    const drill: Drill = {
      ...{ _id: clusterId, targetClusterId: target, days: [], period: '0:00-24:00', timeZone: 'UTC', paused: false },
      ...{ choose: 'newest', emptyHook: emptyHook(), nextWindow: null, revision: 1, savedIn: '' },
      ...{ createTime: at, updateTime: at, updatedBy: 'test', ...fields },
    };
    await store.change(drill._id, () => drill, forever());
    return drill;
  };
  const window = (closesInMs = HOUR) => ({
    opensAt: new Date(Date.now() - HOUR),
    closesAt: new Date(Date.now() + closesInMs),
  });
  const endRestores = (checksums: RestoreChecksums = RestoreChecksums.RESTORE_CHECKSUMS_PROVEN) => {
    neighbours.restores = neighbours.restores.map((restore) => ({
      ...{ ...restore, checksums, state: RestoreState.RESTORE_STATE_SUCCEEDED },
      ...{ targetState: TargetState.TARGET_STATE_RESTORED, endTime: new Date() },
    }));
  };
  const latest = async () => (await store.latestRun(clusterId, forever())) as DrillRun;
  const until = (fields: Partial<DrillRun>) =>
    vi.waitFor(async () => expect(await latest()).toMatchObject(fields), { timeout: 10_000 });
  const copies = (count: number) => {
    const running = new AsyncDisposableStack();
    for (let copy = 0; copy < count; copy += 1) running.use(startDrillLoop(dependencies()));
    return running;
  };

  it('restores the newest good backup once for a window, with three copies at work, and remembers how long it took', async () => {
    await saved({ nextWindow: window() });
    await using _ = copies(3);
    await until({ state: 'Running', backupId: 'good' });
    expect(neighbours.restores).toHaveLength(1);
    expect(hook).toMatchObject({ asked: [{ type: 'drill.empty', data: { targetClusterId: target } }] });
    endRestores();
    await until({ state: 'Succeeded', code: '' });
    expect(neighbours.restores).toHaveLength(1);
    expect(hook.asked).toHaveLength(1);
    expect(await store.getProof(clusterId, forever())).toMatchObject({ backupId: 'good', restoreId: 'restore-0' });
    await expect.poll(() => mongo.db.collection('drill_targets').countDocuments()).toBe(0);
  });

  it('restores a moment of the log before the run, and remembers which', async () => {
    const opensAt = new Date(Date.now() - HOUR);
    const fromTime = new Date(opensAt.getTime() - HOUR);
    neighbours.ranges = [{ fromTime, toTime: new Date() }];
    await saved({ choose: 'pointInTime', nextWindow: { opensAt, closesAt: new Date(Date.now() + HOUR) } });
    await using _ = copies(2);
    await until({ state: 'Running', backupId: 'base' });
    const { pointAt } = await latest();
    expect(pointAt?.getTime()).toBeGreaterThan(fromTime.getTime());
    expect(pointAt?.getTime()).toBeLessThanOrEqual(opensAt.getTime());
    expect(neighbours.restores).toMatchObject([{ source: { point: { time: pointAt } } }]);
    endRestores();
    await until({ state: 'Succeeded' });
    expect(await store.getProof(clusterId, forever())).toMatchObject({ backupId: 'base', pointAt });
  });

  it('waits for a moment of the log where there is none, and is skipped for that once the window has closed', async () => {
    await saved({ choose: 'pointInTime', nextWindow: window() });
    await using _ = copies(1);
    await until({ state: 'Pending', code: 'NO_POINT' });
    ahead = 2 * HOUR;
    await until({ state: 'Skipped', code: 'NO_POINT' });
    expect(neighbours.restores).toEqual([]);
    expect(hook.asked).toEqual([]);
  });

  it('restores nothing of a cluster that is registered no longer, and says so', async () => {
    neighbours.clusters = neighbours.clusters.filter(({ id }) => id !== clusterId);
    await saved({ nextWindow: window() });
    await using _ = copies(1);
    await until({ state: 'Skipped', code: 'CLUSTER_GONE' });
    expect(neighbours.restores).toEqual([]);
    expect(hook.asked).toEqual([]);
  });

  it('is proven by no restore whose checksums were not all compared (DR7)', async () => {
    await saved({ nextWindow: window() });
    await using _ = copies(1);
    await until({ state: 'Running' });
    endRestores(RestoreChecksums.RESTORE_CHECKSUMS_UNPROVEN);
    await until({ state: 'Failed', code: 'CHECKSUMS_UNPROVEN' });
    expect(await store.getProof(clusterId, forever())).toBeUndefined();
  });

  it('asks the hook again until the target is empty, and begins nothing before', async () => {
    hook.answers = [202, 500];
    await saved({ nextWindow: window() });
    await using _ = copies(2);
    await until({ state: 'Running' });
    expect(hook.asked.length).toBe(3);
    expect(hook.whileRestoring).toBe(0);
  });

  it('tells of what an earlier drill left in the target once the hook has emptied it, and leaves alone what people left', async () => {
    const left = async (fields: Partial<Restore>) => {
      neighbours.restores = neighbours.restores.map((one) => ({
        ...{ ...one, ...fields, state: RestoreState.RESTORE_STATE_CANCELED, endTime: new Date() },
      }));
      neighbours.blocked = [{ name: 'targetFree', result: 'blocked', message: 'It is partly restored.' }];
    };
    const another = async (drill: Drill, hours: number) => {
      const opensAt = new Date(Date.now() - HOUR / hours);
      const frame = {
        id: windowRunId(clusterId, opensAt),
        opensAt,
        closesAt: new Date(Date.now() + HOUR),
        byHand: false,
      };
      await store.insertRun(freshRun(drill, frame, now()));
    };
    const drill = await saved({ nextWindow: window() });
    await using _ = copies(2);
    await until({ state: 'Running' });
    await left({ targetState: TargetState.TARGET_STATE_PARTIAL });
    await until({ state: 'Failed', code: 'RESTORE_CANCELED' });
    await another(drill, 2);
    await until({ state: 'Running', restoreId: 'restore-1' });
    expect(neighbours.emptied).toEqual(['restore-0']);
    await left({ targetState: TargetState.TARGET_STATE_UNTOUCHED, needsCleaning: true });
    await until({ state: 'Failed', code: 'RESTORE_CANCELED' });
    neighbours.restores = neighbours.restores.slice(0, 1);
    await another(drill, 3);
    await until({ state: 'Running', restoreId: 'restore-2' });
    expect(neighbours.emptied).toEqual(['restore-0', 'restore-1']);
    await left({ id: 'by-hand', targetState: TargetState.TARGET_STATE_PARTIAL });
    await until({ state: 'Failed' });
    const asked = hook.asked.length;
    await another(drill, 4);
    await until({ state: 'Pending', code: 'TARGET_BUSY' });
    expect(hook.asked).toHaveLength(asked);
    expect(neighbours.emptied).toHaveLength(2);
  });

  it('asks the hook for nothing once it is too late for that', async () => {
    const run = { _id: 'r', clusterId, targetClusterId: target };
    expect(await askToEmpty(emptyHook(), run, new Date(Date.now() - 1), dependencies(), forever())).toEqual({
      ...{ kind: 'failed', trouble: expect.stringContaining('could not be asked in time') },
    });
    expect(hook.asked).toEqual([]);
  });

  it('has two drills of one target wait for each other, hook and restore alike (DR4)', async () => {
    const other = `${clusterId}-other`;
    neighbours.clusters.push(Cluster.create({ id: other }));
    neighbours.backups.push(goodBackup({ id: 'other', clusterId: other }));
    await saved({ nextWindow: window() });
    await saved({ _id: other, nextWindow: window() });
    await using _ = copies(2);
    const states = async () => {
      const runs = [await store.latestRun(clusterId, forever()), await store.latestRun(other, forever())];
      return runs.map((run) => run?.state ?? '').sort();
    };
    const reach = (...wanted: string[]) =>
      vi.waitFor(async () => expect(await states()).toEqual(wanted), { timeout: 10_000 });
    await reach('Pending', 'Running');
    expect(hook.asked).toHaveLength(1);
    endRestores();
    await reach('Running', 'Succeeded');
    endRestores();
    await reach('Succeeded', 'Succeeded');
    expect(hook.whileRestoring).toBe(0);
  });

  it('neither empties nor restores into a cluster that is no scratch cluster any more, or whose plan is blocked', async () => {
    neighbours.blocked = [{ name: 'sameCluster', result: 'blocked', message: 'It is the cluster itself.' }];
    await saved({ nextWindow: window() });
    await using _ = copies(1);
    await until({ state: 'Pending', code: 'PLAN_BLOCKED' });
    neighbours.blocked = [];
    neighbours.clusters = neighbours.clusters.map((one) => ({
      ...one,
      purpose: ClusterPurpose.CLUSTER_PURPOSE_PRODUCTION,
    }));
    ahead = HOUR / 2;
    await until({ state: 'Pending' });
    ahead = 2 * HOUR;
    await vi.waitFor(async () => expect(isDecided(await latest())).toBe(true), { timeout: 10_000 });
    expect((await latest()).state).toBe('Skipped');
    expect(hook.asked).toEqual([]);
    expect(neighbours.restores).toEqual([]);
  });

  it('begins nothing while a backup waits for the storage that it would read (DR6)', async () => {
    const waiting = Backup.create({
      ...{ id: 'waiting', clusterId: target, state: BackupState.BACKUP_STATE_QUEUED },
    });
    neighbours.queued = [waiting];
    await saved({ nextWindow: window() });
    await using _ = copies(1);
    await until({ state: 'Pending', code: 'BACKUPS_WAIT' });
    expect(hook.asked).toEqual([]);
    neighbours.queued = [];
    await until({ state: 'Running' });
  });

  it('says that a window was missed when no scheduler was there while it was open', async () => {
    await saved({ nextWindow: window(-HOUR / 2) });
    await using _ = copies(2);
    await until({ state: 'Missed', code: 'NO_SCHEDULER' });
    expect(neighbours.restores).toEqual([]);
  });

  it('wherever a copy dies, another one ends the run with one restore, and no hook is asked while that runs (DR1 to DR5)', async () => {
    const drill = await saved();
    let died = true;
    for (let deaths = 0; died; deaths += 1) {
      neighbours.restores = [];
      const opensAt = new Date(Date.now() - HOUR - deaths);
      const id = windowRunId(clusterId, opensAt);
      const frame = { id, opensAt, closesAt: new Date(Date.now() + 24 * HOUR), byHand: false };
      await store.insertRun(freshRun(drill, frame, now()));
      died = false;
      let calls = 0;
      // The answer of the call at which it dies is lost; what the call did stays done.
      const mortal = <T extends object>(one: T): T =>
        new Proxy(one, {
          get(of, name) {
            const member = Reflect.get(of, name);
            if (typeof member !== 'function') return member;
            return async (...given: unknown[]) => {
              if (died) throw new Error('dead');
              const answer = await member.apply(of, given);
              calls += 1;
              if (calls === deaths + 1) {
                died = true;
                throw new Error('dead');
              }
              return answer;
            };
          },
        });
      const all = dependencies();
      const dying = {
        ...{ ...all, store: mortal(store) },
        backends: Object.fromEntries(
          Object.entries(backends).map(([name, one]) => [name, typeof one === 'object' ? mortal(one) : one]),
        ) as unknown as Backends,
      };
      const get = async () => (await store.getRun(id, forever())) as DrillRun;
      await attendToRun(await get(), dying, forever()).catch(() => undefined);
      for (let tries = 0; tries < 5 && !isDecided(await get()); tries += 1) {
        ahead += 2 * 60_000;
        await attendToRun(await get(), all, forever());
        if ((await get()).state === 'Running') endRestores();
      }
      expect({
        deaths,
        state: (await get()).state,
        restores: neighbours.restores.length,
        hook: hook.whileRestoring,
      }).toEqual({ deaths, state: 'Succeeded', restores: 1, hook: 0 });
      if (!died) expect(calls).toBeGreaterThan(10);
    }
  }, 60_000);

  it('passes a stale copy over: what it decided by an older record is not written (DR3)', async () => {
    const drill = await saved({ emptyHook: null });
    const { opensAt, closesAt } = window();
    const stale = freshRun(drill, { id: windowRunId(clusterId, opensAt), opensAt, closesAt, byHand: false }, now());
    await store.insertRun(stale);
    await attendToRun(stale, dependencies(), forever());
    const running = await latest();
    expect(running.state).toBe('Running');
    await attendToRun(stale, dependencies(), forever());
    expect(await latest()).toEqual(running);
  });
});
