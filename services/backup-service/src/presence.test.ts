/** Workers that report their presence, beside older ones that do not. */
import { randomUUID } from 'node:crypto';
import { BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ClaimTaskResponse,
  ReportPresenceRequest,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  CheckState,
  Cluster,
  ListWorkersRequest,
  WorkerState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

let service: TestService;
beforeAll(async () => {
  service = await runningService({ TIDEMARK_HAND_BACK_SECONDS: '0.2', TIDEMARK_REAPER_HEALTHY_SECONDS: '0.2' });
}, 60_000);
afterAll(() => service?.[Symbol.asyncDispose]());
beforeEach(() => service.db.collection('workers').deleteMany({}));

const NO_KEYS = { code: 'STORAGE_UNUSABLE', message: 'This worker has no keys.', detail: '' };
const instanceOf = (worker: string) => `${worker}-${'0'.repeat(20)}`;
const report = (worker: string, fields: Partial<ReportPresenceRequest> = {}) =>
  service.executor.reportPresence(
    ReportPresenceRequest.create({
      worker,
      instance: instanceOf(worker),
      pool: 'default',
      slots: 1,
      freeSlots: 1,
      brVersions: ['v8.5.0'],
      ...fields,
    }),
  );
const outOfReach = (storageDigest: string) => [
  { storageId: 'local', storageDigest, reason: NO_KEYS, passing: false, seconds: 1 },
];
const start = async () => {
  const { backup } = await service.backups.startBackup(wishFor(await service.newCluster()));
  return backup?.id ?? '';
};
const show = async (id: string) => {
  const { backup } = await service.backups.getBackup({ id });
  if (!backup) throw new Error('no backup was answered');
  return backup;
};
const claim = async (backupId: string, worker: string, digests: readonly string[] = []) => {
  const token = randomUUID();
  const answer = await service.executor.claimTask({
    backupId,
    claim: token,
    worker,
    pool: 'default',
    instance: instanceOf(worker),
    outOfReach: digests.flatMap(outOfReach),
  });
  return { token, grant: answer.grant };
};
type Grant = NonNullable<ClaimTaskResponse['grant']>;
/** Claims until it is granted, as doorbells would have it. */
const granted = async (backupId: string, worker: string): Promise<{ token: string; grant: Grant }> =>
  vi.waitFor(
    async () => {
      const { token, grant } = await claim(backupId, worker);
      if (!grant) throw new Error('not granted');
      return { token, grant };
    },
    { timeout: 10_000, interval: 50 },
  );
const giveBack = (backupId: string, worker: string, { token, grant }: { token: string; grant: Grant }) =>
  service.executor.completeTask({
    task: { backupId, claim: token, fence: grant.value.fence },
    outcome: {
      $case: 'wait',
      value: {
        seconds: 60,
        reason: NO_KEYS,
        handBack: { instance: instanceOf(worker), passing: false, storage: true, notStarted: false },
      },
    },
  });
const ringAt = async (id: string): Promise<number> => {
  const found = await service.db.collection<{ _id: string; task: { ringAt: Date } }>('backups').findOne({ _id: id });
  return found?.task.ringAt.getTime() ?? 0;
};

it('does not fail a backup because one worker of three has no keys for its storage', async () => {
  for (const worker of ['w1', 'w2', 'w3']) await report(worker);
  const id = await start();
  const first = await granted(id, 'w1');
  expect(await giveBack(id, 'w1', first)).toEqual({ standing: TaskStanding.TASK_STANDING_HELD });
  const waits = await show(id);
  expect(waits).toMatchObject({ state: BackupState.BACKUP_STATE_QUEUED, attempts: [], reason: NO_KEYS, failures: 0 });
  expect(waits.nextTryTime?.getTime()).toBeGreaterThan(Date.now() - 5_000);
  const { grant } = await granted(id, 'w2');
  expect(grant).toMatchObject({ $case: 'backup', value: { attempt: 1, path: expect.stringMatching(/-full$/) } });
  expect((await show(id)).nextTryTime).toBeUndefined();
});

it('leaves tasks alone that a claim says are out of reach, and rings again within a second', async () => {
  for (const worker of ['w1', 'w2']) await report(worker);
  const { grant } = await granted(await start(), 'w1');
  const digest = grant.value.storageDigest;
  const id = await start();
  await vi.waitFor(async () => expect(await ringAt(id)).toBeGreaterThan(Date.now() + 10_000));
  const before = await ringAt(id);
  expect((await claim(id, 'w1', [digest])).grant).toBeUndefined();
  const again = await ringAt(id);
  // Due within a second of the service’s time, which is ahead after a slow first answer of the database; or a poll was faster, and has rung.
  expect(again - Date.now() < 3_000 || again > before, `${again - Date.now()} ms, before ${before - again} more`).toBe(
    true,
  );
  expect((await claim(id, 'w2', ['another'])).grant?.$case).toBe('backup');
});

it('fails a backup once every present worker said so, naming each, and counts neither the stale nor the draining', async () => {
  const probe = await granted(await start(), 'w9');
  const digest = probe.grant.value.storageDigest;
  await report('w1');
  await report('w2', { freeSlots: 0, outOfReach: outOfReach(digest) });
  await report('w3', { draining: true });
  await report('w4');
  await service.db
    .collection('workers')
    .updateOne({ worker: 'w4' }, { $set: { seenAt: new Date(Date.now() - 60_000) } });
  const id = await start();
  await giveBack(id, 'w1', await granted(id, 'w1'));
  const over = await show(id);
  expect(over.state).toBe(BackupState.BACKUP_STATE_FAILED);
  expect(over.reason?.code).toBe('STORAGE_UNUSABLE');
  expect(over.reason?.message).toMatch(/w1: This worker has no keys\. w2: This worker has no keys\.$/);
});

it('does not wait for a worker that died and was started again under its name', async () => {
  await report('w1', { instance: `before-${'0'.repeat(20)}` });
  const id = await start();
  await report('w1');
  await giveBack(id, 'w1', await granted(id, 'w1'));
  expect(await show(id)).toMatchObject({ state: BackupState.BACKUP_STATE_FAILED, reason: NO_KEYS });
});

it('turns a removal into DeleteFailed only where no other worker could do it', async () => {
  await report('w1');
  const id = await start();
  const { token, grant } = await granted(id, 'w1');
  const task = { backupId: id, claim: token, fence: grant.value.fence };
  const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
  await service.executor.completeTask({
    task,
    outcome: { $case: 'succeeded', value: { result, exitSeen: true, manifestKeyId: '' } },
  });
  await service.backups.deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false });
  await report('w2');
  await giveBack(id, 'w1', await granted(id, 'w1'));
  expect((await show(id)).deletion?.state).toBe(DeletionState.DELETION_STATE_DELETING);
  const second = await granted(id, 'w2');
  expect(second.grant.$case).toBe('remove');
  await giveBack(id, 'w2', second);
  expect((await show(id)).deletion).toMatchObject({
    state: DeletionState.DELETION_STATE_DELETE_FAILED,
    error: expect.stringContaining('w1: This worker has no keys.'),
  });
});

it('keeps what a worker tells of itself for every copy of the service to read', async () => {
  const running = [{ kind: 'backup', id: 'b', clusterId: 'c', seconds: 5 }];
  expect(await report('w1', { running, freeSlots: 9, outOfReach: outOfReach('d') })).toEqual({
    checkIds: [],
    verificationIds: [],
  });
  await report('w1', { running });
  const [found, ...others] = await service.db.collection('workers').find({ worker: 'w1' }).toArray();
  expect(others).toEqual([]);
  expect(found).toMatchObject({ pool: 'default', slots: 1, freeSlots: 1, brVersions: ['v8.5.0'], outOfReach: [] });
  expect(found?.running).toMatchObject([{ kind: 'backup', id: 'b', clusterId: 'c' }]);
  await expect(report('', { pool: 'NO POOL', instance: 'short' })).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'worker' }, { field: 'instance' }, { field: 'pool' }] },
  });
});

it('has a check of a storage done by every worker of the pool, busy ones too, and names each', async () => {
  await report('w1');
  await report('w2', { freeSlots: 0 });
  const answer = service.registry.checkStorage(
    { storageId: 'local', pool: '', adopt: false, moved: false },
    { timeoutMs: 40_000 },
  );
  const step = (ok: boolean, message: string) => ({ name: 'reach', ok, message, seconds: 0.1 });
  const done = new Set<string>();
  const work = async (worker: string, ok: boolean) => {
    const { checkIds } = await report(worker);
    for (const checkId of checkIds) {
      const token = randomUUID();
      const told = { checkId, claim: token, worker, pool: 'default', instance: instanceOf(worker) };
      const { grant } = await service.executor.claimCheck(told);
      if (!grant) continue;
      const check = { checkId, claim: token, fence: grant.fence };
      const steps = [step(ok, ok ? 'It answers.' : 'No keys.')];
      await service.executor.completeCheck({ check, ok, steps, totalSteps: 1 });
      done.add(worker);
    }
  };
  await vi.waitFor(
    async () => {
      await work('w1', true);
      if (done.has('w1')) await work('w2', false);
      expect([...done]).toEqual(['w1', 'w2']);
    },
    { timeout: 15_000, interval: 50 },
  );
  const { check } = await answer;
  expect(check).toMatchObject({ state: CheckState.CHECK_STATE_DONE, ok: false });
  const found = check?.workers.map(({ worker, ok }) => ({ worker, ok }));
  expect(found?.toSorted((one, other) => one.worker.localeCompare(other.worker))).toEqual([
    { worker: 'w1', ok: true },
    { worker: 'w2', ok: false },
  ]);
  expect(check?.steps.filter(({ ok }) => !ok)).toMatchObject([{ message: 'No keys.' }]);
});

it('says of a worker that is gone that it did not answer, and holds that against nobody', async () => {
  await report('w1');
  await report('gone');
  const wholes = await service.db
    .collection('checks')
    .countDocuments({ worker: 'w1', state: 'Done', part: { $exists: false } });
  const answer = service.registry.checkStorage(
    { storageId: 'local', pool: '', adopt: false, moved: false },
    { timeoutMs: 40_000 },
  );
  await vi.waitFor(
    async () => {
      const { checkIds } = await report('w1');
      for (const checkId of checkIds) {
        const token = randomUUID();
        const told = { checkId, claim: token, worker: 'w1', pool: 'default', instance: instanceOf('w1') };
        const { grant } = await service.executor.claimCheck(told);
        if (!grant) continue;
        const check = { checkId, claim: token, fence: grant.fence };
        await service.executor.completeCheck({ check, ok: true, steps: [], totalSteps: 0 });
      }
      const done = { worker: 'w1', state: 'Done', part: { $exists: false } };
      expect(await service.db.collection('checks').countDocuments(done)).toBeGreaterThan(wholes);
    },
    { timeout: 15_000, interval: 50 },
  );
  // What is not taken within 20 s is given up: the clock of the documents is turned instead of waiting.
  await vi.waitFor(
    async () => {
      const silent = { 'part.worker': 'gone', state: 'Queued' };
      const long = new Date(Date.now() - 60_000);
      await service.db
        .collection('checks')
        .updateOne(silent, { $set: { 'task.notBefore': long, 'task.ringAt': long }, $inc: { revision: 1 } });
      expect(await service.db.collection('checks').countDocuments(silent)).toBe(0);
    },
    { timeout: 15_000, interval: 200 },
  );
  const { check } = await answer;
  expect(check).toMatchObject({ state: CheckState.CHECK_STATE_DONE, ok: true });
  const silent = check?.workers.find(({ worker }) => worker === 'gone');
  expect(silent).toMatchObject({ ok: false, steps: [{ message: expect.stringContaining('did not answer') }] });
}, 60_000);

it('does what it always did for a worker that reports no presence', async () => {
  const id = await start();
  const token = randomUUID();
  const old = { backupId: id, claim: token, worker: 'old', pool: 'default', instance: '', outOfReach: [] };
  const { grant } = await service.executor.claimTask(old);
  const task = { backupId: id, claim: token, fence: grant?.value.fence ?? 0n };
  const reason = { code: 'PATH_LOCKED', message: 'Locked.', detail: '' };
  await service.executor.completeTask({
    task,
    outcome: { $case: 'wait', value: { seconds: 100, reason, handBack: undefined } },
  });
  const waits = await show(id);
  expect(waits).toMatchObject({ state: BackupState.BACKUP_STATE_QUEUED, attempts: [{ outcome: 'wait' }], reason });
  expect(waits.nextTryTime).toEqual(waits.task?.notBefore);
});

it('tells by metrics what each pool has to do and who is there, from the first cluster or worker on', async () => {
  const metrics = async () => {
    const text = await (await fetch(`http://${service.operations}/metrics`)).text();
    return text.split('\n').filter((line) => line.startsWith('tidemark_pool_'));
  };
  const pool = `far-${randomUUID().slice(0, 8)}`;
  const id = `cluster-${randomUUID().slice(0, 8)}`;
  await service.registry.putCluster({
    cluster: Cluster.create({ id, pd: ['127.0.0.1:2379'], storageId: 'local', pool }),
  });
  const told = async (...lines: readonly string[]) =>
    vi.waitFor(async () => expect(await metrics()).toEqual(expect.arrayContaining([...lines])), {
      timeout: 15_000,
      interval: 200,
    });
  await told(
    `tidemark_pool_tasks_queued{pool="${pool}",task="backup"} 0`,
    `tidemark_pool_workers{pool="${pool}"} 0`,
    `tidemark_pool_oldest_queued_seconds{pool="${pool}"} 0`,
  );
  await service.backups.startBackup(wishFor(id));
  await report('elsewhere', { pool: `${pool}-2`, slots: 3, freeSlots: 2 });
  await told(
    `tidemark_pool_tasks_queued{pool="${pool}",task="backup"} 1`,
    `tidemark_pool_workers_wanted{pool="${pool}"} 1`,
    `tidemark_pool_workers{pool="${pool}-2"} 1`,
    `tidemark_pool_slots{pool="${pool}-2"} 3`,
    `tidemark_pool_slots_free{pool="${pool}-2"} 2`,
  );
  await service.db.collection('workers').deleteMany({ worker: 'elsewhere' });
  await vi.waitFor(async () => expect((await metrics()).join('\n')).not.toContain(`${pool}-2`), { timeout: 15_000 });
});

it('lists workers with what they do for the clusters that were asked for, and counts the rest', async () => {
  const [own, foreign] = await Promise.all([service.newCluster(), service.newCluster()]);
  const work = (kind: string, id: string, clusterId: string) => ({ kind, id, clusterId, seconds: 60 });
  const running = [work('backup', 'b1', own), work('backup', 'b2', foreign), work('restore', 'gone', own)];
  await report('busy', { host: 'h1', slots: 4, running, outOfReach: outOfReach('digest') });
  await report('other', { pool: 'other', draining: true });
  await report('silent');
  const seenAt = new Date(Date.now() - 60_000);
  await service.db
    .collection<{ _id: string }>('workers')
    .updateOne({ _id: instanceOf('silent') }, { $set: { firstSeenAt: seenAt, seenAt } });
  const list = (request: Partial<ListWorkersRequest>) =>
    service.registry.listWorkers(ListWorkersRequest.create(request));

  const { workers, total } = await list({});
  expect(total).toBe(3);
  expect(workers).toMatchObject([
    { name: 'busy', host: 'h1', state: WorkerState.WORKER_STATE_PRESENT, tasks: running.map(({ id }) => ({ id })) },
    { name: 'silent', state: WorkerState.WORKER_STATE_GONE },
    { name: 'other', state: WorkerState.WORKER_STATE_DRAINING },
  ]);
  expect(workers[0]).toMatchObject({
    otherTasks: 0,
    outOfReach: [{ storageId: 'local', code: NO_KEYS.code, message: NO_KEYS.message }],
  });

  const narrowed = await list({ clusterIds: [own], pool: 'default', pageSize: 1 });
  expect(narrowed.total).toBe(2);
  expect(narrowed.workers).toMatchObject([
    { tasks: [{ id: 'b1', clusterId: own }], otherTasks: 2, outOfReach: [], otherOutOfReach: 1 },
  ]);
  const rest = await list({ clusterIds: [own], pool: 'default', pageToken: narrowed.nextPageToken });
  expect(rest.workers.map(({ name }) => name)).toEqual(['silent']);
  expect(rest.nextPageToken).toBe('');
  await expect(list({ pool: 'other', pageToken: narrowed.nextPageToken })).rejects.toMatchObject({
    code: 'invalid_argument',
  });
});
