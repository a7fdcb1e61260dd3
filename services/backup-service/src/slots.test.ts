/**
 * Q1. Slots go to the backups that were accepted first.
 * Q2. A pool without workers keeps nobody of another pool waiting.
 * T2. Who comes next is rung as soon as a place is free, through the real dispatcher and broker.
 */
import { randomUUID } from 'node:crypto';
import { connectBroker } from '@tidemark/messaging/connection';
import { startConsumer } from '@tidemark/messaging/consumer';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupGrant,
  CompleteTaskRequest,
  ReleaseTaskRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, beforeEach, expect, inject, it, vi } from 'vitest';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
/** A dead worker is noticed within a second or two. */
const HASTY = {
  TIDEMARK_LEASE_SECONDS: '1',
  TIDEMARK_RENEW_SECONDS: '0.2',
  TIDEMARK_CALL_SECONDS: '0.4',
  TIDEMARK_GUARD_SECONDS: '0.7',
  TIDEMARK_SPAWN_SECONDS: '0.5',
  TIDEMARK_KILL_SECONDS: '0.2',
  TIDEMARK_CLAIM_SECONDS: '0.5',
  TIDEMARK_REAP_MARGIN_SECONDS: '0.2',
  TIDEMARK_REAPER_HEALTHY_SECONDS: '0.2',
};
const SOON = { timeout: 2_000, interval: 20 };

let service: TestService;
let storageId: string;
const rung: string[] = [];
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  service = stack.use(await runningService());
  await listen(service);
});
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  storageId = await newStorage(1);
});

async function listen({ namespace }: TestService): Promise<void> {
  const broker = stack.use(await connectBroker({ url: inject('amqpUrl'), connectionName: 'slots.test', log: quiet }));
  startConsumer(broker, {
    namespace,
    pool: 'default',
    slots: 1,
    log: quiet,
    onUnreadable() {},
    claim: async ({ id }) => void rung.push(id),
  });
}

async function newStorage(maxConcurrent: number, { registry } = service): Promise<string> {
  const id = `storage-${randomUUID().slice(0, 8)}`;
  const location = { $case: 'local', value: { path: `/tmp/${id}` } } as const;
  await registry.putStorage({ storage: Storage.create({ id, maxConcurrent, location }) });
  return id;
}

/** Accepts backups of as many new clusters, one after the other. */
async function accept(count: number, pool = 'default', { registry, backups } = service): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = `cluster-${randomUUID().slice(0, 8)}`;
    await registry.putCluster({ cluster: Cluster.create({ id, pd: ['127.0.0.1:2379'], storageId, pool }) });
    ids.push((await backups.startBackup(wishFor(id))).backup?.id ?? '');
  }
  return ids;
}

interface Holder {
  readonly task: { readonly backupId: string; readonly claim: string; readonly fence: bigint };
}

async function claim(backupId = '', pool = 'default', { executor } = service): Promise<Holder | undefined> {
  const token = randomUUID();
  const { grant } = await executor.claimTask({
    backupId,
    claim: token,
    worker: 'w1',
    pool,
    instance: '',
    outOfReach: [],
  });
  if (grant?.$case !== 'backup') return undefined;
  const { fence }: BackupGrant = grant.value;
  return { task: { backupId, claim: token, fence } };
}

async function claimed(backupId: string | undefined): Promise<Holder> {
  const holder = await claim(backupId);
  if (!holder) throw new Error('no grant');
  return holder;
}

const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
const succeed = ({ task }: Holder) =>
  service.executor.completeTask(
    CompleteTaskRequest.create({ task, outcome: { $case: 'succeeded', value: { result, exitSeen: true } } }),
  );
const cancel = (id = '') => service.backups.cancelBackup({ id, clusterId: '', reason: '', reasonCode: '' });

const positions = (ids: readonly string[]) =>
  Promise.all(ids.map(async (id) => (await service.backups.getBackup({ id })).backup?.queuePosition));

async function listedPositions(ids: readonly string[]): Promise<(number | undefined)[]> {
  const { backups } = await service.backups.listBackups({
    clusterIds: [],
    id: '',
    startedAtOrAfter: undefined,
    endedAtOrBefore: undefined,
    states: [],
    mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
    origin: BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED,
    rule: '',
    includeDeleted: false,
    page: 1,
    pageSize: 1_000,
    withoutTotal: false,
    withinSight: false,
    damaged: false,
    pageToken: '',
  });
  return ids.map((id) => backups.find((backup) => backup.id === id)?.queuePosition);
}

/** Waits for the ring that the acceptance causes, so that a later one is another. */
async function untilAllRung(ids: readonly string[]): Promise<void> {
  await vi.waitFor(() => expect(rung).toEqual(expect.arrayContaining([...ids])), SOON);
  rung.length = 0;
}

it('runs the backups of a storage in the order of their acceptance, and shows who is next (Q1)', async () => {
  const ids = await accept(3);
  const [first, second, third] = ids;
  await untilAllRung(ids);
  expect(await positions(ids)).toEqual([1, 2, 3]);
  expect(await listedPositions(ids)).toEqual([1, 2, 3]);
  expect(await claim(third)).toBeUndefined();
  expect(await claim(second)).toBeUndefined();

  const holder = await claimed(first);
  expect(await positions(ids)).toEqual([0, 1, 2]);
  await succeed(holder);
  await vi.waitFor(() => expect(rung).toEqual([second]), SOON);
  expect(await claim(third)).toBeUndefined();
  const next = await claimed(second);
  expect(await positions(ids)).toEqual([0, 0, 1]);

  // One that waits for its time leaves the line to those behind it.
  const outcome = { $case: 'wait', value: { seconds: 300, reason: undefined } } as const;
  await service.executor.completeTask(CompleteTaskRequest.create({ task: next.task, outcome }));
  await vi.waitFor(() => expect(rung).toContain(third), SOON);
  await claimed(third);
  await Promise.all([second, third].map(cancel));
});

it('offers a place that is given back, and the turn of one that was canceled (T2)', async () => {
  const ids = await accept(3);
  const [first, second, third] = ids;
  await untilAllRung(ids);
  const { task } = await claimed(first);
  await cancel(first);
  expect(rung).toEqual([]);
  await service.executor.releaseTask(ReleaseTaskRequest.create({ task }));
  await vi.waitFor(() => expect(rung).toEqual([second]), SOON);
  expect(await claim(third)).toBeUndefined();
  await cancel(second);
  await vi.waitFor(() => expect(rung).toEqual([second, third]), SOON);
  await claimed(third);
});

it('offers several places that become free to as many, the limit being kept (T6)', async () => {
  storageId = await newStorage(2);
  const ids = await accept(5);
  await untilAllRung(ids);
  const holders = await Promise.all(ids.slice(0, 2).map(claimed));
  await Promise.all(holders.map(succeed));
  await vi.waitFor(() => expect(new Set(rung)).toEqual(new Set(ids.slice(2, 4))), SOON);
  const answers = await Promise.all(ids.slice(2).map((id) => claim(id)));
  expect(answers.map((holder) => holder !== undefined)).toEqual([true, true, false]);
});

it('offers a place to the first in line also where many are free, since whoever was rung before may have been turned away', async () => {
  storageId = await newStorage(8);
  const ids = await accept(9);
  await untilAllRung(ids);
  await cancel(ids[8]);
  await vi.waitFor(() => expect(rung).toContain(ids[7]), SOON);
  expect(rung).toContain(ids[0]);
  await Promise.all(ids.slice(0, 8).map(cancel));
});

it('lets a pool without workers keep nobody else waiting (Q2)', async () => {
  const [stuck] = await accept(2, 'nobody');
  const [first, second] = await accept(2);
  expect(await claim(second)).toBeUndefined();
  await succeed(await claimed(first));
  await vi.waitFor(() => expect(rung).toContain(second), SOON);
  await succeed(await claimed(second));
  expect(await claim(stuck)).toBeUndefined();
  expect(await claim(stuck, 'nobody')).toBeDefined();
});

it('counts where there is no limit those of the same pool', async () => {
  storageId = await newStorage(0);
  const pool = `pool-${randomUUID().slice(0, 8)}`;
  const ids = await accept(2, pool);
  storageId = await newStorage(0);
  const elsewhere = await accept(1, pool);
  expect(await positions([...ids, ...elsewhere])).toEqual([1, 2, 3]);
  expect(await claim(elsewhere[0], pool)).toBeDefined();
});

it('offers the place of a worker that died (T2)', async () => {
  const hasty = stack.use(await runningService(HASTY));
  await listen(hasty);
  storageId = await newStorage(1, hasty);
  const [first] = await accept(1, 'default', hasty);
  expect(await claim(first, 'default', hasty)).toBeDefined();
  const [second] = await accept(1, 'default', hasty);
  await vi.waitFor(() => expect(rung).toContain(second), SOON);
  expect(await claim(second, 'default', hasty)).toBeUndefined();
  rung.length = 0;
  // The dead one was accepted first, so it is its turn again; its cancel then makes way.
  await vi.waitFor(() => expect(rung).toContain(first), { timeout: 10_000 });
  await hasty.backups.cancelBackup({ id: first ?? '', clusterId: '', reason: '', reasonCode: '' });
  await vi.waitFor(() => expect(rung).toContain(second), SOON);
  expect(await claim(second, 'default', hasty)).toBeDefined();
});
