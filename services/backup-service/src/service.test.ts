import { randomUUID } from 'node:crypto';
import { connectBroker } from '@tidemark/messaging/connection';
import { startConsumer } from '@tidemark/messaging/consumer';
import { deleteNamespace } from '@tidemark/messaging/topology';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
  type ListBackupsRequest,
  type StartBackupRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  ClaimTaskRequest,
  CompleteTaskRequest,
  type ExecutorServiceServer,
  ExecutorServiceService,
  RenewTaskRequest,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  Cluster,
  ListClustersRequest,
  type RegistryServiceServer,
  RegistryServiceService,
  S3Location,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { createServiceClient, openChannel } from '@tidemark/service-kit/grpc/client';
import { serviceMetadata } from '@tidemark/service-kit/grpc/credentials';
import { HONORED, SIGHT } from '@tidemark/service-kit/grpc/metadata-names';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { Backup } from './backup.ts';
import { toConfig } from './config.ts';
import { type RunningBackupService, startBackupService } from './service.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

describe('backup-service', () => {
  const namespace = `test-${randomUUID()}`;
  const database = namespace;
  const rung: string[] = [];
  const stack = new AsyncDisposableStack();
  let service: RunningBackupService;
  let clusterId: string;

  const boot = () =>
    startBackupService(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: database,
        TIDEMARK_AMQP_URL: inject('amqpUrl'),
        TIDEMARK_AMQP_NAMESPACE: namespace,
        TIDEMARK_QUIET_SECONDS: '0.2',
        TIDEMARK_POLL_SECONDS: '0.1',
      }),
    );
  const client = <S>(definition: Parameters<typeof createServiceClient<S>>[0]) =>
    stack.adopt(
      createServiceClient<S>(definition, { address: `127.0.0.1:${service.port}`, token: undefined }),
      (open) => open[Symbol.dispose](),
    );
  const backups = () => client<BackupServiceServer>(BackupServiceService);
  const executor = () => client<ExecutorServiceServer>(ExecutorServiceService);
  const registry = () => client<RegistryServiceServer>(RegistryServiceService);

  const wish = (fields: Partial<StartBackupRequest> = {}): StartBackupRequest => ({
    clusterId,
    mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
    type: '',
    key: '',
    origin: BackupOrigin.BACKUP_ORIGIN_REQUEST,
    notAfter: undefined,
    brOptions: undefined,
    rule: '',
    storageId: '',
    ...fields,
  });
  const selection = (fields: Partial<ListBackupsRequest> = {}): ListBackupsRequest => ({
    clusterIds: [clusterId],
    id: '',
    pageToken: '',
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
    ...fields,
  });
  const start = async (fields: Partial<StartBackupRequest> = {}) => {
    const { backup } = await backups().startBackup(wish(fields));
    if (!backup) throw new Error('no backup was answered');
    return backup;
  };
  const claim = (backupId: string) =>
    executor().claimTask({
      backupId,
      claim: randomUUID(),
      worker: 'w1',
      pool: 'default',
      instance: '',
      outOfReach: [],
    });
  const finished = async () => {
    const backup = await start();
    await backups().cancelBackup({ id: backup.id, clusterId: '', reason: '', reasonCode: '' });
    return backup;
  };

  beforeAll(async () => {
    service = await boot();
    stack.defer(() => service[Symbol.asyncDispose]());
    const broker = await connectBroker({ url: inject('amqpUrl'), connectionName: 'test', log: quiet });
    stack.use(broker);
    startConsumer(broker, {
      namespace,
      pool: 'default',
      slots: 1,
      log: quiet,
      onUnreadable() {},
      claim: async ({ id }) => void rung.push(id),
    });
    await vi.waitFor(
      async () => expect((await fetch(`http://127.0.0.1:${service.operationsPort}/readyz`)).status).toBe(200),
      { timeout: 20_000 },
    );
    await registry().putStorage({
      storage: Storage.create({ id: 'local', location: { $case: 'local', value: { path: '/tmp/storage' } } }),
    });
  });
  afterAll(async () => {
    await stack.disposeAsync();
    const mongo = new MongoClient(inject('mongodbUrl'));
    await dropTestDatabase(mongo.db(database));
    await mongo.close();
    await deleteNamespace(inject('amqpUrl'), namespace, ['default']);
  });
  beforeEach(async () => {
    clusterId = `cluster-${randomUUID().slice(0, 8)}`;
    await registry().putCluster({
      cluster: Cluster.create({ id: clusterId, pd: ['127.0.0.1:2379'], storageId: 'local' }),
    });
  });

  it('accepts a backup, rings for it at once and puts it in a path of its own', async () => {
    const backup = await start();
    expect(backup.id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(backup.state).toBe(BackupState.BACKUP_STATE_QUEUED);
    expect(backup.path).toMatch(new RegExp(`^nfs/em/backup/${clusterId}/\\d{4}(-\\d\\d){5}-full$`));
    await vi.waitFor(() => expect(rung).toContain(backup.id));
  });

  it('refuses a second backup of a busy cluster and names the first (T6)', async () => {
    const first = await start();
    await expect(start()).rejects.toMatchObject({
      code: 'cluster_busy',
      details: { info: { backupId: first.id } },
    });
  });

  it('gives two backups of one second different paths (B12)', async () => {
    const paths = [await finished(), await finished(), await finished()].map(({ path }) => path);
    expect(new Set(paths).size).toBe(3);
  });

  it('answers a repeated key with the first backup, also when both calls race', async () => {
    const [one, other] = await Promise.all([start({ key: 'k1' }), start({ key: 'k1' })]);
    expect(one.id).toBe(other.id);
    expect(one.id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    await expect(start({ key: 'k1', mode: BackupMode.BACKUP_MODE_AUTO })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'Idempotency-Key' }] },
    });
    const found = await backups().findBackupByKey({ clusterId, key: 'k1' });
    expect(found.backup?.id).toBe(one.id);
    expect((await backups().findBackupByKey({ clusterId, key: 'k2' })).backup).toBeUndefined();
  });

  it('refuses a key that started the backup of another cluster, and finds nothing of it for this one', async () => {
    await start({ key: 'of-one-cluster' });
    const other = `${clusterId}-other`;
    await registry().putCluster({ cluster: Cluster.create({ id: other, pd: ['127.0.0.1:2379'], storageId: 'local' }) });
    await expect(start({ clusterId: other, key: 'of-one-cluster' })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'Idempotency-Key' }] },
    });
    expect((await backups().findBackupByKey({ clusterId: other, key: 'of-one-cluster' })).backup).toBeUndefined();
  });

  it('starts nothing after the time that the caller set', async () => {
    await expect(start({ notAfter: new Date(0) })).rejects.toMatchObject({ code: 'start_expired' });
  });

  it('grants a claim raced by ten workers to one of them (T3)', async () => {
    const { id } = await start();
    const answers = await Promise.all(Array.from({ length: 10 }, () => claim(id)));
    expect(answers.filter(({ grant }) => grant !== undefined)).toHaveLength(1);
  });

  it('takes the end from the holder of the claim alone, and a repeat of it as the first (T4, T5)', async () => {
    const { id } = await start();
    const { grant } = await claim(id);
    if (grant?.$case !== 'backup') throw new Error('no grant');
    const [attempt] = (await backups().getBackup({ id })).backup?.attempts ?? [];
    expect(attempt?.worker).toBe('w1');
    const outcome = {
      $case: 'succeeded' as const,
      value: {
        result: { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' },
        exitSeen: true,
      },
    };
    const stranger = { backupId: id, claim: randomUUID(), fence: grant.value.fence };
    const lost = await executor().completeTask(CompleteTaskRequest.create({ task: stranger, outcome }));
    expect(lost.standing).toBe(TaskStanding.TASK_STANDING_LOST);
    expect((await backups().getBackup({ id })).backup?.state).toBe(BackupState.BACKUP_STATE_RUNNING);
  });

  it('cancels a waiting backup at once, and refuses to cancel one that is over', async () => {
    const { id } = await start();
    const { backup } = await backups().cancelBackup({ id, clusterId, reason: 'test', reasonCode: '' });
    expect(backup?.state).toBe(BackupState.BACKUP_STATE_CANCELED);
    await expect(backups().cancelBackup({ id, clusterId, reason: '', reasonCode: '' })).rejects.toMatchObject({
      code: 'backup_over',
    });
    await start();
  });

  it('treats a backup of another cluster as unknown', async () => {
    const { id } = await start();
    await expect(
      backups().cancelBackup({ id, clusterId: 'another', reason: '', reasonCode: '' }),
    ).rejects.toMatchObject({
      code: 'backup_not_found',
    });
    await expect(
      backups().deleteBackup({ id, clusterId: 'another', reason: '', byRetention: false, forget: false }),
    ).rejects.toMatchObject({
      code: 'backup_not_found',
    });
  });

  it('refuses to delete an active backup, and lists a deleted one no more (C4)', async () => {
    const { id } = await start();
    await expect(
      backups().deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false }),
    ).rejects.toMatchObject({
      code: 'backup_in_use',
    });
    await backups().cancelBackup({ id, clusterId: '', reason: '', reasonCode: '' });
    await backups().deleteBackup({ id, clusterId: '', reason: 'test', byRetention: false, forget: false });
    const grant = await vi.waitFor(
      async () => {
        const answer = await claim(id);
        if (answer.grant?.$case !== 'remove') throw new Error('not yet');
        return answer.grant.value;
      },
      { timeout: 5_000 },
    );
    expect(grant.paths).toHaveLength(1);
  });

  it('lists newest first, in pages, and counts the whole selection', async () => {
    // On a busy machine the time of the database is known to some milliseconds only, and these follow upon one another.
    const made = [await finished(), await finished(), await finished()];
    const ids = made.sort((one, other) => Number(other.startTime) - Number(one.startTime)).map(({ id }) => id);
    const first = await backups().listBackups(selection({ pageSize: 2 }));
    expect(first.backups.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.total).toBe(3n);
    const second = await backups().listBackups(selection({ pageSize: 2, page: 2 }));
    expect(second.backups.map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await backups().listBackups(selection({ page: 9 }))).backups).toEqual([]);
    expect((await backups().listBackups(selection({ states: [BackupState.BACKUP_STATE_FAILED] }))).total).toBe(0n);
    await expect(backups().listBackups(selection({ page: 0 }))).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(backups().listBackups(selection({ pageSize: 99_999 }))).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('selects by the time of start and end (C6)', async () => {
    const backup = await finished();
    const before = new Date((backup.startTime?.getTime() ?? 0) - 1);
    const later = new Date(Date.now() + 60_000);
    for (const startedAtOrAfter of [before, backup.startTime])
      expect((await backups().listBackups(selection({ startedAtOrAfter }))).total).toBe(1n);
    expect((await backups().listBackups(selection({ startedAtOrAfter: later }))).total).toBe(0n);
    for (const time of ['0001-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '9999-12-31T23:59:59Z'].map(
      (text) => new Date(text),
    ))
      expect(
        [
          (await backups().listBackups(selection({ startedAtOrAfter: time }))).total,
          (await backups().listBackups(selection({ endedAtOrBefore: time }))).total,
        ],
        time.toISOString(),
      ).toEqual(time.getUTCFullYear() === 9999 ? [0n, 1n] : [1n, 0n]);
    expect((await backups().listBackups(selection({ endedAtOrBefore: later }))).total).toBe(1n);
    expect((await backups().listBackups(selection({ endedAtOrBefore: before }))).total).toBe(0n);
  });

  it('selects by the very instant of an end, and by the start what has not ended', async () => {
    const { id: ended } = await finished();
    const { id: active, startTime } = await start();
    const endTime = (await backups().getBackup({ id: ended })).backup?.endTime;
    const found = async (id: string, instant: Date | undefined, later = 0) => {
      const endedAtOrBefore = new Date((instant?.getTime() ?? Number.NaN) + later);
      return (await backups().listBackups(selection({ id, endedAtOrBefore }))).total;
    };
    expect([await found(ended, endTime), await found(ended, endTime, -1)]).toEqual([1n, 0n]);
    expect([await found(active, startTime), await found(active, startTime, -1)]).toEqual([1n, 0n]);
  });

  it('follows a backup until nothing more can happen to it', async () => {
    const { id } = await start();
    const states: (BackupState | undefined)[] = [];
    for await (const { backup } of backups().watchBackup({ id, untilRemoved: false })) {
      states.push(backup?.state);
      if (states.length === 1) await backups().cancelBackup({ id, clusterId: '', reason: '', reasonCode: '' });
    }
    expect(states[0]).toBe(BackupState.BACKUP_STATE_QUEUED);
    expect(states.at(-1)).toBe(BackupState.BACKUP_STATE_CANCELED);
  });

  it('takes a version, PD addresses, an endpoint and a prefix as BR takes them, and no zone that Temporal does not know', async () => {
    const asked = Cluster.create({
      id: 'as-br',
      pd: ['http://pd-0:2379', 'https://10.0.0.1:2379/', 'pd_0:2379', '[fe80::1]:2379'],
      version: 'v8.5.0',
      storageId: 'local',
    });
    const { cluster } = await registry().putCluster({ cluster: asked });
    expect(cluster).toMatchObject({
      version: '8.5.0',
      pd: ['pd-0:2379', '10.0.0.1:2379', 'pd_0:2379', '[fe80::1]:2379'],
    });
    await expect(registry().putCluster({ cluster: { ...asked, timeZone: 'US/Pacific-New' } })).rejects.toMatchObject({
      details: { fields: [{ field: 'timeZone' }] },
    });

    const value = S3Location.create({
      bucket: 'backups',
      endpoint: 'https://minio.example:9000/',
      prefix: '/team ä/a+b%20c/',
    });
    const { storage } = await registry().putStorage({
      storage: Storage.create({ id: 'as-br', location: { $case: 's3', value } }),
    });
    expect(storage?.location?.value).toMatchObject({
      endpoint: 'https://minio.example:9000',
      prefix: 'team ä/a+b%20c',
    });
  });

  it('says that a canceled backup is over as soon as it is, and not when its files are gone', async () => {
    const { id } = await start();
    const token = randomUUID();
    const { grant } = await executor().claimTask(
      ClaimTaskRequest.create({ backupId: id, claim: token, worker: 'w1', pool: 'default' }),
    );
    const task = { backupId: id, claim: token, fence: grant?.value.fence ?? 0n };
    const starting = { argv: ['br', 'backup', 'full'], brVersion: '8.5.0', hasLock: true };
    await executor().renewTask(RenewTaskRequest.create({ task, starting }));
    await backups().cancelBackup({ id, clusterId, reason: '', reasonCode: '' });
    await executor().completeTask(CompleteTaskRequest.create({ task, outcome: { $case: 'stopped', value: {} } }));
    const watched = async (untilRemoved: boolean) => {
      const last: { state: BackupState } = { state: BackupState.BACKUP_STATE_UNSPECIFIED };
      const limit = AbortSignal.timeout(2_000);
      try {
        for await (const { backup } of backups().watchBackup({ id, untilRemoved }, { signal: limit }))
          last.state = backup?.state ?? last.state;
      } catch (error) {
        if (!limit.aborted) throw error;
        return { ...last, ended: false };
      }
      return { ...last, ended: true };
    };
    const canceled = BackupState.BACKUP_STATE_CANCELED;
    expect(await watched(false)).toEqual({ state: canceled, ended: true });
    // Its files are still there: nobody has removed them yet.
    expect(await watched(true)).toEqual({ state: canceled, ended: false });
    await backups().deleteBackup({ id, clusterId, reason: '', byRetention: false, forget: false });
    expect(await watched(false)).toEqual({ state: canceled, ended: false });
  });

  it('tells a caller of no backup whose cluster that one does not see, says so with each answer, and changes nothing', async () => {
    const { id } = await start();
    const [OK, NOT_FOUND] = [0, 5];
    const raw = stack.adopt(openChannel(`127.0.0.1:${service.port}`, undefined), (open) => open.close());
    interface Method {
      readonly path: string;
      requestSerialize(request: never): Buffer;
      responseDeserialize(bytes: Buffer): object;
    }
    const call = (method: Method, request: object, sight: string) =>
      new Promise<{ readonly told: unknown; readonly code: unknown }>((resolve) => {
        const metadata = serviceMetadata(undefined);
        metadata.set(SIGHT, sight);
        let told: unknown;
        raw
          .makeUnaryRequest(
            method.path,
            method.requestSerialize,
            method.responseDeserialize,
            request as never,
            metadata,
            (error) => resolve({ told, code: error?.code ?? OK }),
          )
          .on('metadata', (answered) => (told = answered.get(SIGHT)[0]));
      });
    const { getBackup, cancelBackup, deleteBackup, pinBackup, unpinBackup } = BackupServiceService;
    const rest = { clusterId: '', reason: '', reasonCode: '', byRetention: false, forget: false };
    for (const method of [getBackup, cancelBackup, deleteBackup, pinBackup, unpinBackup])
      for (const sight of ['', 'another', `${clusterId}-too,another`])
        expect(await call(method, { id, ...rest }, sight), method.path).toMatchObject({ code: NOT_FOUND });
    expect((await backups().getBackup({ id })).backup).toMatchObject({
      state: BackupState.BACKUP_STATE_QUEUED,
      holds: [],
    });
    for (const sight of ['*', `another,${clusterId}`])
      expect(await call(getBackup, { id }, sight)).toEqual({ code: OK, told: HONORED });
    expect(await call(cancelBackup, { id, ...rest }, clusterId)).toMatchObject({ code: OK });
  });

  it('names every bad field of a cluster and of a storage', async () => {
    const cluster = Cluster.create({
      id: 'bad',
      pd: ['nowhere'],
      version: 'new',
      pool: 'A B',
      storageId: 'local',
      timeZone: '+05:30',
    });
    const refused = await registry()
      .putCluster({ cluster })
      .catch((error: { details?: { fields?: { field: string }[] } }) => error);
    const fields = 'details' in refused ? refused.details?.fields?.map(({ field }) => field) : [];
    expect(fields).toEqual(['pd[0]', 'version', 'pool', 'timeZone']);
    await expect(registry().putCluster({ cluster: { ...cluster, id: '../x' } })).rejects.toMatchObject({
      details: { fields: [{ field: 'cluster.id' }] },
    });
    for (const path of ['relative', '/', '/a/../b', '/a//b', '/a/'])
      await expect(
        registry().putStorage({ storage: Storage.create({ id: 's', location: { $case: 'local', value: { path } } }) }),
        path,
      ).rejects.toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'path' }] } });
  });

  it('keeps a cluster with an active backup and a storage that is used, and knows unknown ones', async () => {
    await start();
    await expect(registry().deleteCluster({ id: clusterId })).rejects.toMatchObject({ code: 'cluster_in_use' });
    await expect(registry().deleteStorage({ id: 'local' })).rejects.toMatchObject({ code: 'storage_in_use' });
    await expect(registry().getCluster({ id: 'none' })).rejects.toMatchObject({ code: 'cluster_not_found' });
    await expect(start({ clusterId: 'none' })).rejects.toMatchObject({ code: 'cluster_not_found' });
  });

  it('reads, cancels and removes a backup where it was written, wherever its storage is by now (C3)', async () => {
    const at = (path: string) => ({ $case: 'local' as const, value: { path } });
    await registry().putStorage({ storage: Storage.create({ id: 'moving', location: at('/tmp/before') }) });
    const { id } = await start({ storageId: 'moving' });
    await registry().putStorage({ storage: Storage.create({ id: 'moving', location: at('/tmp/after') }) });
    const { grant } = await claim(id);
    expect(grant).toMatchObject({ value: { storage: { id: 'moving', location: { value: { path: '/tmp/before' } } } } });
  });

  it('writes a new backup and its next ring in one go, before it rings (T2)', async () => {
    const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), (open) => open.close());
    const { id } = await start();
    await vi.waitFor(() => expect(rung).toContain(id));
    const written = await mongo.db(database).collection<Backup>('backups').findOne({ _id: id });
    expect(written).toMatchObject({ revision: 1, task: { rings: 1 } });
    expect(written?.task?.ringAt.getTime()).toBeGreaterThan(written?.startTime.getTime() ?? 0);
  });

  it('rings at a repeat too, since whoever wrote it down may have been killed before its message went out', async () => {
    const { id } = await start({ key: 'rung-again' });
    await vi.waitFor(() => expect(rung).toContain(id));
    rung.length = 0;
    expect((await start({ key: 'rung-again' })).id).toBe(id);
    await vi.waitFor(() => expect(rung).toContain(id));
  });

  it('rings for what another copy wrote down but never published (T2)', async () => {
    const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), (open) => open.close());
    const { id } = await start();
    await vi.waitFor(() => expect(rung).toContain(id));
    rung.length = 0;
    // As if the copy that accepted it had been killed before it rang.
    await mongo
      .db(database)
      .collection<{ _id: string }>('backups')
      .updateOne({ _id: id }, { $set: { 'task.ringAt': new Date(1) }, $inc: { revision: 1 } });
    await vi.waitFor(() => expect(rung).toContain(id));
  });

  it('remembers the rule and the storage that a start names, and lists by origin and rule', async () => {
    const location = { $case: 'local', value: { path: '/tmp/other' } } as const;
    await registry().putStorage({ storage: Storage.create({ id: 'other', location }) });
    await expect(start({ storageId: 'nowhere' })).rejects.toMatchObject({ code: 'storage_not_found' });
    await expect(start({ rule: 'a b', storageId: '../x' })).rejects.toMatchObject({
      details: { fields: [{ field: 'rule' }, { field: 'storageId' }] },
    });
    const scheduled = { rule: 'nightly', storageId: 'other', origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE };
    const backup = await start({ ...scheduled, key: 'k' });
    expect(backup).toMatchObject({ rule: 'nightly', storageId: 'other' });
    expect((await start({ ...scheduled, key: 'k' })).id).toBe(backup.id);
    await expect(start({ ...scheduled, rule: 'weekly', key: 'k' })).rejects.toMatchObject({ code: 'invalid_argument' });
    const { grant } = await claim(backup.id);
    expect(grant).toMatchObject({ value: { rule: 'nightly', storage: { id: 'other' } } });

    await registry().putCluster({
      cluster: Cluster.create({ id: `${clusterId}-2`, pd: ['127.0.0.1:2379'], storageId: 'local' }),
    });
    const plain = await start({ clusterId: `${clusterId}-2` });
    const listed = async (fields: Partial<ListBackupsRequest>) =>
      (await backups().listBackups(selection({ clusterIds: [clusterId, `${clusterId}-2`], ...fields }))).backups.map(
        ({ id }) => id,
      );
    expect(await listed({ rule: 'nightly' })).toEqual([backup.id]);
    expect(await listed({ rule: 'weekly' })).toEqual([]);
    expect(await listed({ origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE })).toEqual([backup.id]);
    expect(await listed({ origin: BackupOrigin.BACKUP_ORIGIN_REQUEST })).toEqual([plain.id]);
  });

  it('ends what a rule cancels with the reason of the rule', async () => {
    const { id } = await start();
    const asked = { id, clusterId, reason: 'window over', reasonCode: 'WINDOW_CLOSED' };
    await expect(backups().cancelBackup({ ...asked, reasonCode: 'window' })).rejects.toMatchObject({
      details: { fields: [{ field: 'reasonCode' }] },
    });
    const { backup } = await backups().cancelBackup(asked, { caller: 'scheduler-service' });
    expect(backup).toMatchObject({
      state: BackupState.BACKUP_STATE_CANCELED,
      reason: { code: 'WINDOW_CLOSED' },
      cancellation: { by: 'scheduler-service', reason: 'window over' },
    });
  });

  it('keeps a pinned backup until it is unpinned, and pins only good ones', async () => {
    const { id } = await start();
    await expect(backups().pinBackup({ id })).rejects.toMatchObject({
      code: 'backup_not_good',
      message: expect.stringContaining('it is Queued'),
    });
    const token = randomUUID();
    const { grant } = await executor().claimTask({
      backupId: id,
      claim: token,
      worker: 'w1',
      pool: 'default',
      instance: '',
      outOfReach: [],
    });
    await executor().completeTask(
      CompleteTaskRequest.create({
        task: { backupId: id, claim: token, fence: grant?.value.fence ?? 0n },
        outcome: {
          $case: 'succeeded',
          value: {
            result: { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' },
          },
        },
      }),
    );
    await backups().pinBackup({ id }, { requestId: 'r-1' });
    expect((await backups().pinBackup({ id }, { requestId: 'r-2' })).backup?.holds).toEqual(['pin:r-1']);
    await expect(
      backups().deleteBackup({ id, clusterId, reason: '', byRetention: false, forget: false }),
    ).rejects.toMatchObject({
      code: 'backup_in_use',
      message: expect.stringContaining('unpin it'),
    });
    for (let i = 0; i < 2; i += 1) expect((await backups().unpinBackup({ id })).backup?.holds).toEqual([]);
    await backups().deleteBackup({ id, clusterId, reason: '', byRetention: false, forget: false });
    await expect(backups().pinBackup({ id })).rejects.toMatchObject({ message: expect.stringContaining('deletion') });
    await expect(backups().unpinBackup({ id: 'nobody' })).rejects.toMatchObject({ code: 'backup_not_found' });
  });

  it('lists clusters page by page, and only those that changed', async () => {
    const ids = ['a', 'B', '_c', '-d'].map((suffix) => `${clusterId}${suffix}`);
    for (const id of ids)
      await registry().putCluster({ cluster: Cluster.create({ id, pd: ['127.0.0.1:2379'], storageId: 'local' }) });
    const all = ListClustersRequest.create({});
    const everything = (await registry().listClusters(all)).clusters.map(({ id }) => id);
    expect(everything).toEqual(expect.arrayContaining(ids));
    const paged: string[] = [];
    for (let pageToken: string | undefined; pageToken !== ''; ) {
      const page = await registry().listClusters({ ...all, pageSize: 2, pageToken: pageToken ?? '' });
      expect(page.clusters.length).toBeLessThanOrEqual(2);
      paged.push(...page.clusters.map(({ id }) => id));
      pageToken = page.nextPageToken;
    }
    expect(paged).toEqual(everything);
    const named = await registry().listClusters({ ...all, ids, pageSize: 3 });
    expect(named.clusters).toHaveLength(3);
    const rest = await registry().listClusters({ ...all, ids, pageSize: 3, pageToken: named.nextPageToken });
    expect([...named.clusters, ...rest.clusters].map(({ id }) => id)).toEqual([...ids].sort());
    expect(rest.nextPageToken).toBe('');

    const { cluster } = await registry().getCluster({ id: ids[0] ?? '' });
    const changed = await registry().listClusters({ ...all, updatedAfter: cluster?.updateTime });
    expect(changed.clusters.map(({ id }) => id).sort()).toEqual([...ids].sort());
    await expect(registry().listClusters({ ...all, pageSize: -1 })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(registry().listClusters({ ...all, pageToken: '~' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('lets a limited storage run only so many backups at once (T6)', async () => {
    await registry().putStorage({
      storage: Storage.create({
        id: 'narrow',
        maxConcurrent: 1,
        location: { $case: 'local', value: { path: '/tmp/narrow' } },
      }),
    });
    const ids: string[] = [];
    for (const name of ['one', 'two']) {
      const cluster = Cluster.create({ id: `${clusterId}-${name}`, pd: ['127.0.0.1:2379'], storageId: 'narrow' });
      await registry().putCluster({ cluster });
      ids.push((await start({ clusterId: cluster.id })).id);
    }
    const answers = await Promise.all(ids.map(claim));
    expect(answers.filter(({ grant }) => grant !== undefined)).toHaveLength(1);
  });
});
