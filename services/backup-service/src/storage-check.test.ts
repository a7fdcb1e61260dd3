import { randomUUID } from 'node:crypto';
import { connectBroker } from '@tidemark/messaging/connection';
import { startConsumer } from '@tidemark/messaging/consumer';
import { deleteNamespace } from '@tidemark/messaging/topology';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import {
  BackupMode,
  BackupOrigin,
  BackupState,
  DeletionState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  type CheckRef,
  type ExecutorServiceServer,
  ExecutorServiceService,
  ManifestVerdict,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  CheckKind,
  CheckState,
  type RegistryServiceServer,
  RegistryServiceService,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import { type RunningBackupService, startBackupService } from './service.ts';
import { newCheck } from './storage-check.ts';
import { createStorageCheckStore } from './storage-check-store.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const step = { name: 'reach', ok: true, message: 'fine', seconds: 0.1 };

describe('checks of storages', () => {
  const namespace = `test-${randomUUID()}`;
  const rung: string[] = [];
  const stack = new AsyncDisposableStack();
  let service: RunningBackupService;
  let registry: ServiceClient<RegistryServiceServer>;
  let executor: ServiceClient<ExecutorServiceServer>;
  let backups: ServiceClient<BackupServiceServer>;

  const client = <S>(definition: Parameters<typeof createServiceClient<S>>[0]) =>
    stack.adopt(
      createServiceClient<S>(definition, { address: `127.0.0.1:${service.port}`, token: undefined }),
      (open) => open[Symbol.dispose](),
    );
  const show = async (id: string) => {
    const { check } = await registry.getStorageCheck({ id });
    if (!check) throw new Error('no check was answered');
    return check;
  };
  const claim = (checkId: string, pool = 'default') =>
    executor.claimCheck({ checkId, claim: randomUUID(), worker: 'w1', pool, instance: '' });
  /** A rebuild that this test holds as its worker. */
  const hold = async (apply: boolean): Promise<CheckRef> => {
    const { check } = await registry.rebuildRecords({ storageId: 'local', pool: '', apply });
    const checkId = check?.id ?? '';
    const token = randomUUID();
    const { grant } = await executor.claimCheck({ checkId, claim: token, worker: 'w1', pool: 'default', instance: '' });
    if (!grant) throw new Error('no grant');
    return { checkId, claim: token, fence: grant.fence };
  };
  const manifest = (backupId: string, path: string, changes: object = {}) =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 1,
        backupId,
        clusterId: 'lost',
        mode: 'auto',
        origin: 'schedule',
        createdBy: 'alice',
        path,
        basePath: path,
        target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
        startTime: '2026-01-31T12:00:00.000Z',
        endTime: '2026-01-31T13:00:00.000Z',
        tso: '463838582067200001',
        sizeBytes: 7,
        files: 3,
        tidbClusterId: '7',
        clusterVersion: '8.5.0',
        ...changes,
      }),
    );
  const newId = () => randomUUID().replaceAll('-', '').slice(0, 22);
  const newPath = () => `nfs/em/backup/lost/${newId()}-full`;

  beforeAll(async () => {
    service = await startBackupService(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: namespace,
        TIDEMARK_AMQP_URL: inject('amqpUrl'),
        TIDEMARK_AMQP_NAMESPACE: namespace,
        TIDEMARK_POLL_SECONDS: '0.1',
        TIDEMARK_LEASE_SECONDS: '4',
        TIDEMARK_CALL_SECONDS: '1',
        TIDEMARK_RENEW_SECONDS: '0.5',
        TIDEMARK_GUARD_SECONDS: '3',
        TIDEMARK_KILL_SECONDS: '0.5',
        TIDEMARK_REAP_MARGIN_SECONDS: '0.5',
        TIDEMARK_CLAIM_SECONDS: '2',
        TIDEMARK_SPAWN_SECONDS: '2',
        TIDEMARK_REAPER_HEALTHY_SECONDS: '0.2',
      }),
    );
    stack.defer(() => service[Symbol.asyncDispose]());
    registry = client<RegistryServiceServer>(RegistryServiceService);
    executor = client<ExecutorServiceServer>(ExecutorServiceService);
    backups = client<BackupServiceServer>(BackupServiceService);
    const broker = stack.use(await connectBroker({ url: inject('amqpUrl'), connectionName: 'test', log: quiet }));
    startConsumer(broker, {
      namespace,
      pool: 'default',
      slots: 1,
      log: quiet,
      onUnreadable() {},
      claim: async ({ id, kind }) => void (kind === CommandKind.COMMAND_KIND_CHECK && rung.push(id)),
    });
    await vi.waitFor(
      async () => expect((await fetch(`http://127.0.0.1:${service.operationsPort}/readyz`)).status).toBe(200),
      { timeout: 20_000 },
    );
    await registry.putStorage({
      storage: Storage.create({ id: 'local', location: { $case: 'local', value: { path: '/tmp/storage' } } }),
    });
  });
  afterAll(async () => {
    await stack.disposeAsync();
    const mongo = new MongoClient(inject('mongodbUrl'));
    await dropTestDatabase(mongo.db(namespace));
    await mongo.close();
    await deleteNamespace(inject('amqpUrl'), namespace, ['default', 'far']);
  });

  it('rings for a check at once, waits for its worker, and answers with what it found', async () => {
    const before = rung.length;
    const answer = registry.checkStorage(
      { storageId: 'local', pool: '', adopt: false, moved: false },
      { timeoutMs: 20_000 },
    );
    const id = await vi.waitFor(
      () => {
        const [found] = rung.slice(before);
        if (!found) throw new Error('not rung');
        return found;
      },
      { timeout: 10_000 },
    );
    const token = randomUUID();
    const { grant } = await executor.claimCheck({
      checkId: id,
      claim: token,
      worker: 'w1',
      pool: 'default',
      instance: '',
    });
    expect(grant).toMatchObject({
      kind: CheckKind.CHECK_KIND_PROBE,
      storage: { id: 'local', root: 'nfs/em/backup', location: { $case: 'local', value: { path: '/tmp/storage' } } },
    });
    const ref = { checkId: id, claim: token, fence: grant?.fence ?? 0n };
    await executor.renewCheck({ check: ref, steps: [step], totalSteps: 1 });
    expect(await show(id)).toMatchObject({ state: CheckState.CHECK_STATE_RUNNING, worker: 'w1', steps: [step] });
    const end = { check: ref, ok: true, steps: [step, step], totalSteps: 2 };
    expect(await executor.completeCheck(end)).toEqual({ standing: TaskStanding.TASK_STANDING_HELD });
    expect((await answer).check).toMatchObject({
      id,
      state: CheckState.CHECK_STATE_DONE,
      ok: true,
      totalSteps: 2,
      createdBy: 'internal',
    });
    expect(await executor.completeCheck(end), 'a repeat').toEqual({ standing: TaskStanding.TASK_STANDING_HELD });
  });

  it('grants a check raced by ten workers to one of them, and none to another pool', async () => {
    const { check } = await registry.rebuildRecords({ storageId: 'local', pool: 'far', apply: false });
    const id = check?.id ?? '';
    expect((await claim(id)).grant).toBeUndefined();
    const answers = await Promise.all(Array.from({ length: 10 }, () => claim(id, 'far')));
    expect(answers.filter(({ grant }) => grant !== undefined)).toHaveLength(1);
  });

  it('has a check whose worker died run again', async () => {
    const first = await hold(false);
    await vi.waitFor(async () => expect((await show(first.checkId)).state).toBe(CheckState.CHECK_STATE_QUEUED), {
      timeout: 20_000,
    });
    expect(await executor.renewCheck({ check: first, steps: [], totalSteps: 0 })).toEqual({
      standing: TaskStanding.TASK_STANDING_LOST,
    });
    expect((await claim(first.checkId)).grant?.fence).toBe(2n);
  });

  it('has a check that its worker gave back run by another at once, and takes no word of the first any more', async () => {
    const check = await hold(false);
    const others = rung.filter((id) => id === check.checkId).length;
    const held = { standing: TaskStanding.TASK_STANDING_HELD };
    expect(await executor.releaseCheck({ check })).toEqual(held);
    expect(await show(check.checkId)).toMatchObject({ state: CheckState.CHECK_STATE_QUEUED });
    await vi.waitFor(() => expect(rung.filter((id) => id === check.checkId).length).toBeGreaterThan(others));
    expect((await claim(check.checkId)).grant).toMatchObject({ fence: 2n });
    const lost = { standing: TaskStanding.TASK_STANDING_LOST };
    expect(await executor.releaseCheck({ check })).toEqual(lost);
    expect(await executor.completeCheck({ check, ok: true, steps: [step], totalSteps: 1 })).toEqual(lost);
  });

  it('refuses an unknown storage, a pool that is none, and a check that is not there', async () => {
    const options = { timeoutMs: 5_000 };
    await expect(
      registry.checkStorage({ storageId: 'nowhere', pool: '', adopt: false, moved: false }, options),
    ).rejects.toMatchObject({
      code: 'storage_not_found',
    });
    await expect(registry.rebuildRecords({ storageId: 'local', pool: 'A B', apply: false })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'pool' }] },
    });
    await expect(registry.getStorageCheck({ id: 'nothing' })).rejects.toMatchObject({ code: 'check_not_found' });
  });

  it('says of a missing record that it is missing, and makes it only when told to, once', async () => {
    const id = newId();
    const path = newPath();
    const dry = await hold(false);
    const offered = { path, manifest: manifest(id, path) };
    expect(await executor.offerManifest({ check: dry, ...offered })).toMatchObject({
      verdict: ManifestVerdict.MANIFEST_VERDICT_MISSING,
    });
    await expect(backups.getBackup({ id })).rejects.toMatchObject({ code: 'backup_not_found' });

    const check = await hold(true);
    const answers = await Promise.all([1, 2, 3].map(() => executor.offerManifest({ check, ...offered })));
    const verdicts = answers.map(({ verdict }) => verdict).sort();
    expect(verdicts).toEqual([
      ManifestVerdict.MANIFEST_VERDICT_KNOWN,
      ManifestVerdict.MANIFEST_VERDICT_KNOWN,
      ManifestVerdict.MANIFEST_VERDICT_REBUILT,
    ]);
    const { backup } = await backups.getBackup({ id });
    expect(backup).toMatchObject({
      id,
      clusterId: 'lost',
      path,
      state: BackupState.BACKUP_STATE_SUCCEEDED,
      mode: BackupMode.BACKUP_MODE_AUTO,
      origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
      createdBy: 'alice',
      storageId: 'local',
      startTime: new Date('2026-01-31T12:00:00.000Z'),
      endTime: new Date('2026-01-31T13:00:00.000Z'),
      result: { tso: 463838582067200001n, sizeBytes: 7n, files: 3n, remark: 'rebuilt from its manifest' },
      task: undefined,
    });
    const { backups: listed } = await backups.listBackups({
      clusterIds: ['lost'],
      id: '',
      startedAtOrAfter: undefined,
      endedAtOrBefore: undefined,
      states: [],
      mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
      origin: BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED,
      rule: '',
      includeDeleted: false,
      page: 1,
      pageSize: 10,
      withoutTotal: false,
      withinSight: false,
      damaged: false,
      pageToken: '',
    });
    expect(listed.map((one) => one.id)).toEqual([id]);
  });

  it('brings no deleted backup back, and deletes a rebuilt one like any other', async () => {
    const id = newId();
    const path = newPath();
    const check = await hold(true);
    const offered = { check, path, manifest: manifest(id, path) };
    await executor.offerManifest(offered);
    await backups.deleteBackup({ id, clusterId: '', reason: 'test', byRetention: false, forget: false });
    const { backup } = await backups.getBackup({ id });
    expect(backup).toMatchObject({
      deletion: { state: DeletionState.DELETION_STATE_REQUESTED },
      task: { kind: 'remove' },
    });
    const mongo = new MongoClient(inject('mongodbUrl'));
    await mongo
      .db(namespace)
      .collection<{ _id: string }>('backups')
      .updateOne({ _id: id }, { $set: { 'deletion.state': 'Deleted', deleteTime: new Date(0), task: null } });
    await mongo.close();
    expect(await executor.offerManifest({ ...offered, check: await hold(true) })).toMatchObject({
      verdict: ManifestVerdict.MANIFEST_VERDICT_KNOWN,
      message: expect.stringContaining('was deleted on 1970-01-01T00:00:00.000Z; it is not brought back'),
    });
  });

  it('refuses a manifest that is at odds with a record, and says why', async () => {
    const id = newId();
    const path = newPath();
    const check = await hold(true);
    await executor.offerManifest({ check, path, manifest: manifest(id, path) });
    const judge = async (backupId: string, where: string, changes: object = {}) => {
      const { verdict, message } = await executor.offerManifest({
        check,
        path: where,
        manifest: manifest(backupId, where, changes),
      });
      expect(verdict).toBe(ManifestVerdict.MANIFEST_VERDICT_REFUSED);
      return message;
    };
    expect(await judge(newId(), path)).toContain(`${id}, already has the path`);
    expect(await judge(newId(), `${path}-r1`, { basePath: path })).toContain(`${id}, already has the path`);
    expect(await judge(id, newPath())).toContain(`has another path, ${path}`);
    expect(await judge(newId(), 'elsewhere/lost/x')).toContain('lies outside nfs/em/backup');
    expect(await judge(newId(), newPath(), { schemaVersion: 2 })).toContain('schemaVersion is 2');
  });

  it('forgets checks that are done after their time, and no others', async () => {
    await using mongo = new MongoClient(inject('mongodbUrl'));
    const db = mongo.db(`${namespace}-old`); // where no dispatcher looks
    const now = new Date('2026-01-02T00:00:00Z');
    const limits = { leaseMs: 1_000, reapMarginMs: 1_000, ringMs: 1_000 };
    const store = createStorageCheckStore(db, { now: () => now, limits, onChanged() {} });
    const signal = AbortSignal.timeout(10_000);
    const asked = { kind: 'probe', storageId: 'x', pool: 'nobody', createdBy: 'a', requestId: 'r' } as const;
    const storage = { id: 'x', root: 'x', local: { path: '/x' }, maxConcurrent: 0 };
    const put = async (_id: string, createdAt: Date, done: boolean) => {
      const check = newCheck({ _id, ...asked, storage }, createdAt);
      await store.insert(done ? { ...check, state: 'Done', task: null } : check, signal);
    };
    const [older, newer] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-01-01T12:00:00Z')];
    await Promise.all([put('old', older, true), put('new', newer, true), put('waits', older, false)]);
    await store.removeBefore(new Date('2026-01-01T06:00:00Z'), signal);
    const left = await Promise.all(['old', 'new', 'waits'].map((id) => store.get(id, signal)));
    expect(left.map((check) => check?._id)).toEqual([undefined, 'new', 'waits']);
    await dropTestDatabase(db);
  });

  it('takes a manifest only from who holds a rebuild', async () => {
    const path = newPath();
    const check = await hold(true);
    const stranger = { ...check, claim: randomUUID() };
    const id = newId();
    expect(await executor.offerManifest({ check: stranger, path, manifest: manifest(id, path) })).toMatchObject({
      standing: TaskStanding.TASK_STANDING_LOST,
    });
    await expect(backups.getBackup({ id })).rejects.toMatchObject({ code: 'backup_not_found' });
  });
});
