/** Storages that are not mounted, are others, or are gone for good: what is on record, asked over gRPC. */
import { randomUUID } from 'node:crypto';
import { type Backup, BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type CheckRef,
  ManifestVerdict,
  type SettleMarkerRequest,
  type TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

let service: TestService;
beforeAll(async () => {
  service = await runningService();
});
afterAll(() => service[Symbol.asyncDispose]());

const HELD = TaskStanding.TASK_STANDING_HELD;
const FOUND = 'f'.repeat(32);
const OTHER = '0'.repeat(32);
const worker = { worker: 'w1', pool: 'default', instance: '' };

/** A storage of a new name in a folder, and a cluster that uses it. */
async function register(changes: Partial<Storage> = {}) {
  const id = `s-${randomUUID().slice(0, 8)}`;
  const put = (more: Partial<Storage> = {}) =>
    service.registry.putStorage({
      storage: Storage.create({ id, location: { $case: 'local', value: { path: '/mnt/a' } }, ...changes, ...more }),
    });
  await put();
  const clusterId = `c-${randomUUID().slice(0, 8)}`;
  await service.registry.putCluster({
    cluster: Cluster.create({ id: clusterId, pd: ['127.0.0.1:2379'], storageId: id }),
  });
  return { id, clusterId, put };
}

async function claimTask(backupId: string) {
  const claim = randomUUID();
  const { grant } = await service.executor.claimTask({ backupId, claim, ...worker, outOfReach: [] });
  if (!grant) throw new Error('no grant');
  const task: TaskRef = { backupId, claim, fence: grant.value.fence };
  return { task, grant };
}

async function start(clusterId: string) {
  const { backup } = await service.backups.startBackup(wishFor(clusterId));
  return claimTask(backup?.id ?? '');
}

const settle = (holder: TaskRef | CheckRef, number = '') => {
  const request: SettleMarkerRequest = {
    holder: 'backupId' in holder ? { $case: 'task', value: holder } : { $case: 'check', value: holder },
    number,
  };
  return service.executor.settleMarker(request);
};

/** A good backup, whose task is over. */
async function good(clusterId: string): Promise<Backup> {
  const { task } = await start(clusterId);
  const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
  const outcome = { $case: 'succeeded', value: { result, exitSeen: false, manifestKeyId: '' } } as const;
  expect(await service.executor.completeTask({ task, outcome })).toEqual({ standing: HELD });
  return show(task.backupId);
}

async function show(id: string): Promise<Backup> {
  const { backup } = await service.backups.getBackup({ id });
  if (!backup) throw new Error('there is no backup');
  return backup;
}

const remove = (id: string, forget = false) =>
  service.backups.deleteBackup({ id, clusterId: '', reason: 'test', byRetention: false, forget });

/** Claims the removal as soon as it may be claimed. */
const claimRemoval = (id: string) => vi.waitFor(() => claimTask(id), { timeout: 10_000 });

/** A good backup of which nothing was found when it was to be removed. */
async function missing(clusterId: string): Promise<Backup> {
  const { id, path } = await good(clusterId);
  await remove(id);
  const { task } = await claimRemoval(id);
  const value = { paths: [path], bytes: 0n, remark: '', empty: [path] };
  await service.executor.completeTask({ task, outcome: { $case: 'removed', value } });
  return show(id);
}

async function probe(storageId: string, adopt: boolean): Promise<CheckRef & { adopt: boolean; number: string }> {
  const answer = service.registry.checkStorage({ storageId, pool: '', adopt, moved: false }, { timeoutMs: 500 });
  await expect(answer).rejects.toThrow();
  const checks = service.db.collection<{ _id: string }>('checks');
  const found = await checks.findOne({ storageId, state: 'Queued' });
  const checkId = found?._id ?? '';
  const claim = randomUUID();
  const { grant } = await service.executor.claimCheck({ checkId, claim, ...worker });
  if (!grant?.marker) throw new Error('no grant');
  return { checkId, claim, fence: grant.fence, adopt: grant.marker.adopt, number: grant.marker.number };
}

describe('the number of a storage', () => {
  it('is the first that was found there; it travels with every task, and a change of the registration keeps it', async () => {
    const { id, clusterId, put } = await register();
    const first = await start(clusterId);
    expect(first.grant.value.marker).toEqual({ number: '', adopt: false });
    expect(await settle(first.task, FOUND)).toMatchObject({ standing: HELD, number: FOUND });
    expect(await settle(first.task, OTHER), 'a later one').toMatchObject({ standing: HELD, number: FOUND });
    await put({ maxConcurrent: 3, id });
    const { backup } = await service.backups.cancelBackup({
      id: first.task.backupId,
      clusterId: '',
      reason: '',
      reasonCode: '',
    });
    await service.executor.completeTask({ task: first.task, outcome: { $case: 'stopped', value: {} } });
    expect(backup?.state).toBe(BackupState.BACKUP_STATE_CANCELING);
    const next = await start(clusterId);
    expect(next.grant.value.marker).toEqual({ number: FOUND, adopt: false });
  });

  it('is of one place: where a registration is moved to, another one counts, and older backups keep theirs', async () => {
    const { id, clusterId, put } = await register();
    const first = await start(clusterId);
    await settle(first.task, FOUND);
    await put({ location: { $case: 'local', value: { path: '/mnt/b' } } });
    const cluster = Cluster.create({ id: `${clusterId}-2`, pd: ['127.0.0.1:2379'], storageId: id });
    await service.registry.putCluster({ cluster });
    const moved = await start(cluster.id);
    expect(moved.grant.value.marker?.number).toBe('');
    expect(await settle(moved.task, OTHER)).toMatchObject({ number: OTHER });
    await service.executor.releaseTask({ task: first.task, strayPath: '' });
    const again = await vi.waitFor(() => claimTask(first.task.backupId), { timeout: 10_000 });
    expect(again.grant.value.marker?.number).toBe(FOUND);
  });

  it('is the same candidate for all who would write it, who hear which good backups must be there', async () => {
    const { clusterId } = await register();
    const { path } = await good(clusterId);
    const { task } = await start(clusterId);
    const answers = await Promise.all([settle(task), settle(task), settle(task)]);
    expect(new Set(answers.map(({ candidate }) => candidate)).size).toBe(1);
    expect(answers[0]).toMatchObject({
      number: '',
      candidate: expect.stringMatching(/^[0-9a-f]{32}$/),
      backups: [path],
    });
  });

  it('is settled by who holds the task or check alone, and is a number', async () => {
    const { clusterId } = await register();
    const { task } = await start(clusterId);
    expect(await settle({ ...task, fence: 99n }, FOUND)).toMatchObject({ standing: TaskStanding.TASK_STANDING_LOST });
    await expect(settle(task, 'none')).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('is replaced by an admin, and only the one that was known when the check was asked for', async () => {
    const { id, clusterId } = await register();
    await settle((await start(clusterId)).task, FOUND);
    const plain = await probe(id, false);
    expect(plain).toMatchObject({ adopt: false, number: FOUND });
    expect(await settle(plain, OTHER)).toMatchObject({ number: FOUND });
    const adopting = await probe(id, true);
    expect(adopting.adopt).toBe(true);
    expect(await settle(adopting, OTHER)).toMatchObject({ number: OTHER });
    expect(await settle(adopting, '3'.repeat(32)), 'another worker of the same check').toMatchObject({ number: OTHER });
  });
});

describe('a removal that finds nothing of a good backup', () => {
  it('ends as DeleteFailed with FILES_GONE if nobody ever announced that it begins', async () => {
    const { clusterId } = await register();
    expect(await missing(clusterId)).toMatchObject({
      deletion: { state: DeletionState.DELETION_STATE_DELETE_FAILED, errorCode: 'FILES_GONE' },
      task: { kind: 'remove', tries: 1 },
    });
  });

  it('is done once a removal was announced, whoever goes on with it', async () => {
    const { clusterId } = await register();
    const { id, path } = await good(clusterId);
    await remove(id);
    const first = await claimRemoval(id);
    await service.executor.renewTask({
      task: first.task,
      progress: undefined,
      starting: undefined,
      stall: undefined,
      estimate: undefined,
      removing: [path],
    });
    await service.executor.releaseTask({ task: first.task, strayPath: '' });
    const { task } = await claimRemoval(id);
    const value = { paths: [path], bytes: 0n, remark: '', empty: [path] };
    await service.executor.completeTask({ task, outcome: { $case: 'removed', value } });
    expect((await show(id)).deletion?.state).toBe(DeletionState.DELETION_STATE_DELETED);
  });
});

describe('a backup that is forgotten', () => {
  it('leaves the lists and its storage, which can be unregistered; its tombstone says who, when, and that files may remain', async () => {
    const { id: storageId, clusterId } = await register();
    const { id } = await missing(clusterId);
    await service.registry.deleteCluster({ id: clusterId });
    await expect(service.registry.deleteStorage({ id: storageId })).rejects.toMatchObject({ code: 'storage_in_use' });
    const { backup } = await remove(id, true);
    expect(backup).toMatchObject({
      deletion: {
        state: DeletionState.DELETION_STATE_FORGOTTEN,
        by: 'internal',
        reason: 'test',
        at: expect.any(Date),
        remark: expect.stringContaining('may remain in'),
      },
      task: undefined,
      deleteTime: expect.any(Date),
    });
    await expect(remove(id, true)).rejects.toMatchObject({ code: 'backup_not_found' });
    await service.registry.deleteStorage({ id: storageId });
  });

  it('is refused while it is good, active or pinned; in a storage that was declared gone only while active or pinned', async () => {
    const { clusterId, put } = await register();
    const { id } = await good(clusterId);
    const active = await start(clusterId);
    for (const one of [id, active.task.backupId])
      await expect(remove(one, true)).rejects.toMatchObject({ code: 'backup_in_use' });
    await put({ gone: true });
    await expect(remove(active.task.backupId, true)).rejects.toMatchObject({ code: 'backup_in_use' });
    await service.backups.pinBackup({ id });
    await expect(remove(id, true)).rejects.toMatchObject({ code: 'backup_in_use' });
    await service.backups.unpinBackup({ id });
    expect((await remove(id, true)).backup?.deletion?.state).toBe(DeletionState.DELETION_STATE_FORGOTTEN);
  });

  it('comes back with its own record where a rebuild finds it', async () => {
    const { id: storageId, clusterId } = await register();
    const { id, path } = await missing(clusterId);
    await remove(id, true);
    const offer = async (apply: boolean) => {
      const { check } = await service.registry.rebuildRecords({ storageId, pool: '', apply });
      const claim = randomUUID();
      const { grant } = await service.executor.claimCheck({ checkId: check?.id ?? '', claim, ...worker });
      const held = { checkId: check?.id ?? '', claim, fence: grant?.fence ?? 0n };
      const manifest = {
        schemaVersion: 1,
        backupId: id,
        clusterId,
        path,
        tso: '5',
        sizeBytes: 7,
        files: 1,
        tidbClusterId: '1',
        clusterVersion: '8.5.0',
      };
      return service.executor.offerManifest({ check: held, path, manifest: Buffer.from(JSON.stringify(manifest)) });
    };
    expect(await offer(false)).toMatchObject({ verdict: ManifestVerdict.MANIFEST_VERDICT_MISSING });
    expect(await offer(true)).toMatchObject({ verdict: ManifestVerdict.MANIFEST_VERDICT_REBUILT });
    expect(await show(id)).toMatchObject({
      state: BackupState.BACKUP_STATE_SUCCEEDED,
      deletion: { state: DeletionState.DELETION_STATE_NONE },
      deleteTime: undefined,
      createdBy: 'internal',
      result: { remark: 'rebuilt from its manifest' },
    });
    expect(await offer(true)).toMatchObject({ verdict: ManifestVerdict.MANIFEST_VERDICT_KNOWN });
  });
});

it('nothing is backed up to a storage that was declared gone', async () => {
  const { clusterId } = await register({ gone: true });
  await expect(service.backups.startBackup(wishFor(clusterId))).rejects.toMatchObject({ code: 'storage_unusable' });
});
