/** The calls about drills, over a whole scheduler and its neighbours on the wire. */
import { randomUUID } from 'node:crypto';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { LogStanding, LogWish } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { Cluster, ClusterPurpose } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { RestoreChecksums, RestoreState, TargetState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import {
  DrillChoice,
  DrillRunState,
  type DrillServiceServer,
  DrillServiceService,
  ListDrillRunsRequest,
  PutDrillRequest,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import {
  type FleetServiceServer,
  FleetServiceService,
  ListFleetRequest,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { renderMetrics } from '@tidemark/service-kit/metrics';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, expect, inject, it, vi } from 'vitest';
import { toConfig } from '../config.ts';
import { startScheduler } from '../service.ts';
import { everyDay, goodBackup, Neighbours, serveNeighbours } from '../testing/neighbours.ts';
import type { DrillProof } from './drill-store.ts';

const stack = new AsyncDisposableStack();
let calls: ServiceClient<DrillServiceServer>;
let fleet: ServiceClient<FleetServiceServer>;
let db: Db;
let neighbours = new Neighbours();

beforeAll(async () => {
  const { address } = stack.use(await serveNeighbours(() => neighbours));
  const database = `test-${randomUUID()}`;
  const client = stack.adopt(new MongoClient(inject('mongodbUrl')), async (connected) => {
    await dropTestDatabase(connected.db(database));
    await connected.close();
  });
  db = client.db(database);
  const { port } = stack.use(
    await startScheduler(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: database,
        TIDEMARK_STRATEGY_SERVICE: address,
        TIDEMARK_BACKUP_SERVICE: address,
        TIDEMARK_SCHEDULE_POLL_SECONDS: '0.05',
        TIDEMARK_SCHEDULE_RETRY_SECONDS: '0.1',
        TIDEMARK_FLEET_REFRESH_SECONDS: '0.1',
      }),
    ),
  );
  const options = { address: `127.0.0.1:${port}`, token: undefined };
  calls = stack.use(createServiceClient<DrillServiceServer>(DrillServiceService, options));
  fleet = stack.use(createServiceClient<FleetServiceServer>(FleetServiceService, options));
});
afterAll(() => stack.disposeAsync());
beforeEach(() => {
  neighbours = new Neighbours();
  neighbours.clusters = [
    Cluster.create({ id: 'orders', timeZone: 'Europe/Berlin' }),
    Cluster.create({ id: 'scratch', purpose: ClusterPurpose.CLUSTER_PURPOSE_SCRATCH }),
    Cluster.create({ id: 'scratch-2', purpose: ClusterPurpose.CLUSTER_PURPOSE_SCRATCH }),
    Cluster.create({ id: 'prod' }),
  ];
});

const put = (fields: Partial<PutDrillRequest> = {}) =>
  calls.putDrill(PutDrillRequest.create({ clusterId: 'orders', targetClusterId: 'scratch', ...fields }));
const hook = {
  url: 'https://hooks.example.com/',
  secrets: { source: { $case: 'envPrefix', value: 'DRILL_' } },
} as const;
const none = { code: 'drill_not_found' };

it('a drill is saved, read, changed at its revision, and deleted', async () => {
  const { drill } = await put({ days: 'sunday', period: '2:00-6:00', choose: DrillChoice.DRILL_CHOICE_RANDOM });
  expect(drill).toMatchObject({ days: ['Sunday'], timeZone: 'Europe/Berlin', revision: 1n, emptyHook: undefined });
  expect(drill?.nextTime?.getTime()).toBeGreaterThan(Date.now());
  expect(await calls.getDrill({ clusterId: 'orders' })).toEqual({ drill, latest: undefined, proof: undefined });
  await expect(put({ revision: 7n })).rejects.toMatchObject({ code: 'revision_changed' });
  expect((await put({ paused: true, days: 'Sunday', validateOnly: true })).drill).toMatchObject({
    ...{ paused: true, nextTime: undefined },
  });
  expect((await calls.getDrill({ clusterId: 'orders' })).drill).toEqual(drill);
  await calls.deleteDrill({ clusterId: 'orders' });
  await expect(calls.deleteDrill({ clusterId: 'orders' })).rejects.toMatchObject(none);
  await expect(calls.getDrill({ clusterId: 'orders' })).rejects.toMatchObject(none);
});

it('the history of a drill has the drill itself, and nothing where there is none', async () => {
  const history = () => calls.listDrillRuns(ListDrillRunsRequest.create({ clusterId: 'orders' }));
  expect(await history()).toEqual({ runs: [], nextPageToken: '', drill: undefined });
  const { drill } = await put();
  expect((await history()).drill).toEqual(drill);
});

it('a moment of the log is chosen only where a log backup is wanted', async () => {
  const choose = DrillChoice.DRILL_CHOICE_POINT_IN_TIME;
  await expect(put({ choose })).rejects.toMatchObject({
    ...{ code: 'invalid_argument', details: { fields: [{ field: 'choose' }] } },
  });
  neighbours.logs = [LogStanding.create({ clusterId: 'orders', wanted: LogWish.LOG_WISH_ON })];
  expect((await put({ choose })).drill?.choose).toBe(choose);
});

it('a hook stays where it is left out, goes where it is removed, and is named again for another target', async () => {
  await put({ emptyHook: hook });
  expect((await put()).drill?.emptyHook).toEqual(hook);
  await expect(put({ targetClusterId: 'scratch-2' })).rejects.toMatchObject({
    ...{ code: 'invalid_argument', details: { fields: [{ field: 'emptyHook' }] } },
  });
  expect((await put({ withoutEmptyHook: true })).drill?.emptyHook).toBeUndefined();
  expect((await put({ targetClusterId: 'scratch-2' })).drill?.targetClusterId).toBe('scratch-2');
});

it('every bad field is named, as the body calls it', async () => {
  const bad = {
    url: 'ftp://user:hunter2@example.com/',
    secrets: { source: { $case: 'envPrefix', value: 'x' } },
  } as const;
  await expect(
    put({ days: 'someday', period: '25:00-26:00', timeZone: '+05:30', emptyHook: bad }),
  ).rejects.toMatchObject({
    code: 'invalid_argument',
    details: {
      fields: [
        ...[{ field: 'backupDate' }, { field: 'period' }, { field: 'timeZone' }, { field: 'emptyHook.url' }],
        ...[{ field: 'emptyHook.url' }, { field: 'emptyHook.secrets.envPrefix' }],
      ],
    },
  });
});

it('a cluster in which anything counts is no target', async () => {
  const refused = { code: 'drill_target_refused' };
  await expect(put({ targetClusterId: 'prod' })).rejects.toMatchObject(refused);
  await expect(put({ targetClusterId: 'orders' })).rejects.toMatchObject(refused);
  await expect(put({ targetClusterId: 'nobody' })).rejects.toMatchObject({ code: 'cluster_not_found' });
  neighbours.strategies = [everyDay('scratch', 'default', new Date(), new Date())];
  await expect(put()).rejects.toMatchObject(refused);
  neighbours.strategies = [];
  neighbours.backups = [goodBackup({ id: 'one', clusterId: 'scratch' })];
  await expect(put()).rejects.toMatchObject(refused);
});

it('a run that somebody asks for comes once for its key, and stands in the history, a page at a time', async () => {
  neighbours.backups = [goodBackup({ id: 'good', clusterId: 'orders' })];
  await put({ targetClusterId: 'scratch-2', withoutEmptyHook: true, paused: true });
  const { run } = await calls.runDrill({ clusterId: 'orders', key: 'a' });
  expect(run).toMatchObject({ byHand: true, targetClusterId: 'scratch-2' });
  expect((await calls.runDrill({ clusterId: 'orders', key: 'a' })).run?.id).toBe(run?.id);
  await vi.waitFor(
    async () =>
      expect((await calls.getDrill({ clusterId: 'orders' })).latest).toMatchObject({
        ...{ state: DrillRunState.DRILL_RUN_STATE_RUNNING, backupId: 'good', restoreId: 'restore-0' },
      }),
    { timeout: 10_000 },
  );
  await calls.runDrill({ clusterId: 'orders', key: 'b' });
  const page = (fields: Partial<ListDrillRunsRequest>) =>
    calls.listDrillRuns(ListDrillRunsRequest.create({ clusterId: 'orders', pageSize: 1, ...fields }));
  const first = await page({});
  const second = await page({ pageToken: first.nextPageToken });
  expect([...first.runs, ...second.runs].map(({ id }) => id)).toHaveLength(2);
  expect(second.runs).toMatchObject([{ id: run?.id }]);
  await expect(page({ pageToken: 'x' })).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(calls.runDrill({ clusterId: 'nobody', key: 'a' })).rejects.toMatchObject(none);
});

it('the fleet says when a cluster was last proven, and how long that took', async () => {
  neighbours.backups = [goodBackup({ id: 'good', clusterId: 'orders' })];
  await put({ targetClusterId: 'scratch', withoutEmptyHook: true });
  await calls.runDrill({ clusterId: 'orders', key: 'c' });
  await vi.waitFor(() => expect(neighbours.restores).toHaveLength(1), { timeout: 10_000 });
  const startTime = new Date('2026-01-04T01:00:00Z');
  const endTime = new Date('2026-01-04T02:10:00Z');
  neighbours.restores = neighbours.restores.map((restore) => ({
    ...{ ...restore, startTime, endTime, state: RestoreState.RESTORE_STATE_SUCCEEDED },
    ...{ targetState: TargetState.TARGET_STATE_RESTORED, checksums: RestoreChecksums.RESTORE_CHECKSUMS_PROVEN },
  }));
  await vi.waitFor(
    async () => {
      const { rows } = await fleet.listFleet(ListFleetRequest.create({ clusterIds: ['orders'] }));
      expect(rows).toMatchObject([{ clusterId: 'orders', provenTime: endTime, provenSeconds: 4_200 }]);
    },
    { timeout: 15_000 },
  );
});

it('metrics say how long ago a cluster was proven, how often that is planned, and how its last drill ended', async () => {
  const lines = async () => {
    const { body } = await renderMetrics();
    const own = body.split('\n').filter((line) => line.includes('cluster="orders"') && line.includes('_pro'));
    const last = body.split('\n').filter((line) => line.startsWith('tidemark_cluster_last_drill{cluster="orders"'));
    return Object.fromEntries([...own, ...last].map((line) => line.split(' ') as [string, string]));
  };
  const age = 'tidemark_cluster_proven_age_seconds{cluster="orders"}';
  const every = 'tidemark_cluster_expected_proof_seconds{cluster="orders"}';
  const eventually = (check: (found: Record<string, string>) => void) =>
    vi.waitFor(async () => check(await lines()), { timeout: 15_000 });
  const proof = { time: new Date('2026-01-04T02:10:00Z'), seconds: 4, backupId: 'b', restoreId: 'r' };
  for (const name of ['drills', 'drill_runs', 'drill_proofs']) await db.collection(name).deleteMany({});
  await put({ days: 'Monday,Thursday' });
  await eventually((found) => expect(Number(found[age])).toBeLessThan(60));
  await eventually((found) => expect(found[every]).toBe(String(4 * 86_400)));
  await db.collection<DrillProof>('drill_proofs').insertOne({ _id: 'orders', ...proof, writtenAt: new Date() });
  await eventually((found) => expect(Number(found[age])).toBeGreaterThan(86_400));
  neighbours.backups = [goodBackup({ id: 'good', clusterId: 'orders' })];
  await calls.runDrill({ clusterId: 'orders', key: 'counted' });
  await vi.waitFor(() => expect(neighbours.restores).toHaveLength(1), { timeout: 10_000 });
  neighbours.restores = neighbours.restores.map((restore) => ({
    ...{ ...restore, state: RestoreState.RESTORE_STATE_FAILED },
  }));
  await eventually((found) => expect(found['tidemark_cluster_last_drill{cluster="orders",state="Failed"}']).toBe('1'));
  await calls.deleteDrill({ clusterId: 'orders' });
  await eventually((found) => expect(found).toEqual({}));
});
