/**
 * Which clusters may use a storage, asked over gRPC.
 *
 * U1. A cluster is not registered with, and nothing is started or granted in, a storage that is not for it.
 * U2. Whether such a storage is there cannot be told.
 * U3. What lies in it already is kept, read, forgotten and deleted as before.
 */
import { randomUUID } from 'node:crypto';
import { BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  RenewTaskRequest,
  type TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

let service: TestService;
beforeAll(async () => {
  service = await runningService();
});
afterAll(() => service[Symbol.asyncDispose]());

let storageId: string;
let clusterId: string;
beforeEach(() => {
  storageId = `s-${randomUUID().slice(0, 8)}`;
  clusterId = `c-${randomUUID().slice(0, 8)}`;
});

const putStorage = (usableBy?: { clusters?: string[]; labels?: Record<string, string> }, more: Partial<Storage> = {}) =>
  service.registry.putStorage({
    storage: Storage.create({
      id: storageId,
      location: { $case: 'local', value: { path: '/mnt/a' } },
      ...(usableBy && { usableBy: { clusters: [], labels: {}, ...usableBy } }),
      ...more,
    }),
  });
const putCluster = (labels: Record<string, string> = {}, changes: Partial<Cluster> = {}) =>
  service.registry.putCluster({
    cluster: Cluster.create({ id: clusterId, pd: ['127.0.0.1:2379'], storageId, labels, ...changes }),
  });
const start = (fields = {}) => service.backups.startBackup(wishFor(clusterId, fields));
const denied = () => ({
  code: 'storage_not_found',
  message: `There is no storage ${storageId} that cluster ${clusterId} may use.`,
});
/** As happens when registrations change at the same moment, or in another version: behind the service's back. */
const close = () =>
  service.db
    .collection<{ _id: string }>('storages')
    .updateOne({ _id: storageId }, { $set: { usableBy: { clusters: ['somebody-else'], labels: {} } } });
const claim = async (backupId: string) => {
  const token = randomUUID();
  const { grant } = await service.executor.claimTask({
    ...{ backupId, claim: token, worker: 'w1', pool: 'default', instance: '', outOfReach: [] },
  });
  return { grant, task: { backupId, claim: token, fence: grant?.value.fence ?? 0n } satisfies TaskRef };
};
const show = async (id: string) => {
  const { backup } = await service.backups.getBackup({ id });
  if (!backup) throw new Error('there is no backup');
  return backup;
};

describe('a cluster', () => {
  it('is registered with a storage that names it, or whose labels it will have, and with no other (U1, U2)', async () => {
    await expect(putCluster(), 'which is not there').rejects.toMatchObject(denied());
    await putStorage({ clusters: ['somebody-else'], labels: { team: 'shop' } });
    await expect(putCluster()).rejects.toMatchObject(denied());
    await expect(putCluster({ team: 'other' })).rejects.toMatchObject(denied());
    await putCluster({ team: 'shop' });
    await expect(putCluster({}), 'the label goes, and the storage with it').rejects.toMatchObject(denied());
    const { storage } = await putStorage({ clusters: [clusterId, clusterId], labels: { team: 'shop' } });
    expect(storage?.usableBy).toEqual({ clusters: [clusterId], labels: { team: 'shop' } });
    await putCluster({});
  });

  it('starts nothing in a storage that is not for it, nor learns that it is there (U1, U2)', async () => {
    await putCluster({}, { storageId: 'local' });
    await expect(start({ storageId }), 'which is not there').rejects.toMatchObject(denied());
    for (const more of [{}, { gone: true }]) {
      await putStorage({ clusters: ['somebody-else'] }, more);
      await expect(start({ storageId })).rejects.toMatchObject(denied());
    }
    await putStorage({ clusters: [clusterId] });
    expect((await start({ storageId })).backup?.storageId).toBe(storageId);
  });

  it('is told the same when somebody asks on its behalf', async () => {
    const ask = () => service.registry.getStorage({ id: storageId, clusterId });
    await expect(ask(), 'which is not there').rejects.toMatchObject(denied());
    await putStorage({ labels: { team: 'shop' } });
    await expect(ask(), 'of a cluster that is not there').rejects.toMatchObject(denied());
    await putCluster({ team: 'shop' });
    expect((await ask()).storage?.id).toBe(storageId);
  });
});

describe('a backup that waits', () => {
  it('ends as Failed with its own reason at the claim once its cluster may not use the storage, and nothing is granted', async () => {
    await putStorage({ labels: { team: 'shop' } });
    await putCluster({ team: 'shop' });
    const { backup } = await start();
    await close();
    expect((await claim(backup?.id ?? '')).grant).toBeUndefined();
    const over = await show(backup?.id ?? '');
    expect(over).toMatchObject({
      state: BackupState.BACKUP_STATE_FAILED,
      attempts: [],
      reason: {
        code: 'STORAGE_DENIED',
        message: expect.stringContaining(`Cluster ${clusterId} may not use storage ${storageId} any more`),
      },
    });
    await expect(start()).rejects.toMatchObject(denied());
  });

  it('goes by the labels that its cluster has now', async () => {
    await putStorage();
    await putCluster({ team: 'shop' }, { storageId: 'local' });
    const { backup } = await start({ storageId });
    await putStorage({ labels: { team: 'shop' } });
    await putCluster({}, { storageId: 'local' });
    expect((await claim(backup?.id ?? '')).grant).toBeUndefined();
    expect((await show(backup?.id ?? '')).reason?.code).toBe('STORAGE_DENIED');
  });

  it('leaves its place to the next, which is rung at once', async () => {
    await putStorage(undefined, { maxConcurrent: 1 });
    await putCluster();
    const first = (await start()).backup?.id ?? '';
    const second = `${clusterId}-2`;
    await putCluster({}, { id: second });
    const next = (await service.backups.startBackup(wishFor(second))).backup?.id ?? '';
    const ringsOf = async (id: string) =>
      (await service.db.collection<{ _id: string; task: { rings: number } }>('backups').findOne({ _id: id }))?.task
        .rings ?? 0;
    const before = await ringsOf(next);
    await service.db
      .collection<{ _id: string }>('storages')
      .updateOne({ _id: storageId }, { $set: { usableBy: { clusters: [second], labels: {} } } });
    await claim(first);
    expect((await show(first)).state).toBe(BackupState.BACKUP_STATE_FAILED);
    await vi.waitFor(async () => expect(await ringsOf(next)).toBeGreaterThan(before), { timeout: 10_000 });
    expect((await claim(next)).grant?.$case).toBe('backup');
  });

  it('is granted where the registration of its storage is not known', async () => {
    await putStorage();
    await putCluster();
    const { backup } = await start();
    await service.db.collection<{ _id: string }>('storages').deleteOne({ _id: storageId });
    expect((await claim(backup?.id ?? '')).grant?.$case).toBe('backup');
  });
});

it('what lies in a storage goes on whoever may use it: it is pinned, unpinned, deleted and its removal granted (U3)', async () => {
  await putStorage();
  await putCluster();
  const { backup } = await start();
  const { task } = await claim(backup?.id ?? '');
  const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
  await close();
  const outcome = { $case: 'succeeded', value: { result, exitSeen: true, manifestKeyId: '' } } as const;
  expect(await service.executor.completeTask({ task, outcome }), 'what runs is let run').toEqual({
    standing: TaskStanding.TASK_STANDING_HELD,
  });
  const { backupId: id } = task;
  expect((await service.backups.pinBackup({ id })).backup?.holds).toHaveLength(1);
  await service.backups.unpinBackup({ id });
  await service.backups.deleteBackup({ id, clusterId, reason: '', byRetention: false, forget: false });
  const removal = await vi.waitFor(
    async () => {
      const found = await claim(id);
      if (found.grant?.$case !== 'remove') throw new Error('not yet');
      return { ...found, paths: found.grant.value.paths };
    },
    { timeout: 10_000 },
  );
  await service.executor.renewTask(RenewTaskRequest.create({ task: removal.task, removing: removal.paths }));
  const value = { paths: removal.paths, bytes: 7n, remark: '', empty: [] };
  await service.executor.completeTask({ task: removal.task, outcome: { $case: 'removed', value } });
  expect((await show(id)).deletion?.state).toBe(DeletionState.DELETION_STATE_DELETED);
});

describe('a storage', () => {
  it('is not closed to clusters that name it: they are named, the first few and how many more there are', async () => {
    await putStorage();
    const ids = Array.from({ length: 7 }, (_, index) => `${clusterId}-${index}`);
    for (const id of ids) await putCluster({}, { id });
    const refusal = putStorage({ clusters: [ids[0] ?? ''] });
    await expect(refusal).rejects.toMatchObject({ code: 'storage_in_use', details: { info: { storageId } } });
    await expect(refusal).rejects.toThrow(`cluster ${ids[1]}, cluster ${ids[2]}, cluster ${ids[3]}`);
    await expect(refusal).rejects.toThrow('and 1 more');
    await putStorage({ clusters: ids });
  });

  it('may be changed otherwise although it is closed to a cluster that names it already', async () => {
    await putStorage({ clusters: [clusterId] });
    await putCluster();
    await close();
    await putStorage({ clusters: ['somebody-else'] }, { maxConcurrent: 3 });
  });

  it('tells which clusters may not use it, of all or of those with labels, and whom a proposal would leave out', async () => {
    const ids = ['a', 'b', 'c'].map((suffix) => `${clusterId}-${suffix}`);
    const labels = { only: clusterId };
    await putStorage();
    await putCluster({ ...labels, team: 'shop' }, { id: ids[0] ?? '' });
    await putCluster(labels, { id: ids[1] ?? '', storageId: 'local' });
    await putCluster(labels, { id: ids[2] ?? '', storageId: 'local' });
    const ask = (clusters?: string[], by: Record<string, string> = {}) =>
      service.registry.listExcludedClusters({ storageId, labels, proposal: clusters && { clusters, labels: by } });
    expect(await ask()).toEqual({ clusterIds: [], ownerIds: [] });
    expect(await ask([ids[1] ?? ''], { team: 'shop' })).toEqual({ clusterIds: [ids[2]], ownerIds: [] });
    expect(await ask([ids[1] ?? ''])).toEqual({ clusterIds: [ids[0], ids[2]], ownerIds: [ids[0]] });
    await putStorage({ clusters: ids.slice(0, 2) });
    expect(await ask()).toEqual({ clusterIds: [ids[2]], ownerIds: [] });
    expect(await ask([ids[0] ?? '']), 'who may not use it now is not left out').toMatchObject({ clusterIds: [ids[1]] });
    await expect(ask([])).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('cannot be closed to everybody, and is open to all again where nothing is said', async () => {
    await expect(putStorage({})).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'usableBy: must name clusters or labels; leave it out for all clusters',
    });
    await putStorage({ clusters: ['c1'] });
    expect((await putStorage()).storage?.usableBy, 'left out, all may use it again').toBeUndefined();
  });
});
