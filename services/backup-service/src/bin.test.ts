/** The bin of a storage, asked over gRPC; Z1 to Z4 are those of `decide/bin.ts`. */
import { randomUUID } from 'node:crypto';
import { BackupOrigin, BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { CompleteTaskRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Cluster, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { beforeEach, expect, it, vi } from 'vitest';
import type { Backup } from './backup.ts';
import { backupCalls } from './testing/backup-calls.ts';

const { service, cluster, start, claim, selection } = backupCalls();
const backups = () => service().backups;
const DAY_MS = 86_400_000;
const SCHEDULE = BackupOrigin.BACKUP_ORIGIN_SCHEDULE;
const TRASHED = DeletionState.DELETION_STATE_TRASHED;

let storageId: string;
beforeEach(async () => {
  storageId = `s-${randomUUID().slice(0, 8)}`;
  await put({});
  await service().registry.putCluster({
    cluster: Cluster.create({ id: cluster(), pd: ['127.0.0.1:2379'], storageId }),
  });
});

const put = (fields: Partial<Storage>) =>
  service().registry.putStorage({
    storage: Storage.create({
      ...{ id: storageId, location: { $case: 'local', value: { path: `/mnt/${storageId}` } }, trashDays: 3 },
      ...fields,
    }),
  });

/** A good backup. */
async function good(origin: BackupOrigin = BackupOrigin.BACKUP_ORIGIN_REQUEST): Promise<string> {
  const { id } = await start({ origin });
  const token = randomUUID();
  const who = { worker: 'w1', pool: 'default', instance: '', outOfReach: [] };
  const { grant } = await service().executor.claimTask({ backupId: id, claim: token, ...who });
  const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
  await service().executor.completeTask(
    CompleteTaskRequest.create({
      task: { backupId: id, claim: token, fence: grant?.value.fence ?? 0n },
      outcome: { $case: 'succeeded', value: { result, exitSeen: true } },
    }),
  );
  return id;
}

const remove = async (id: string, fields = {}) => {
  const { backup } = await backups().deleteBackup({
    ...{ id, clusterId: '', reason: '', byRetention: false, forget: false },
    ...fields,
  });
  return backup?.deletion;
};
const show = async (id: string) => (await backups().getBackup({ id })).backup;
const listed = async (includeDeleted = false) =>
  (await backups().listBackups(selection({ includeDeleted }))).backups.map(({ id }) => id);

/** Lets the time of a backup in the bin be over. */
const pass = (id: string) =>
  service()
    .db.collection<Backup>('backups')
    .updateOne({ _id: id }, { $set: { 'deletion.trashUntil': new Date(Date.now() - 1_000) }, $inc: { revision: 1 } });

const untilDeletion = (id: string, state: DeletionState) =>
  vi.waitFor(async () => expect((await show(id))?.deletion?.state).toBe(state), { timeout: 10_000, interval: 50 });

it('keeps a deleted backup for the days that its storage says, unlisted, and has it back', async () => {
  const id = await good();
  const before = Date.now();
  const deletion = await remove(id);
  expect(deletion?.state).toBe(TRASHED);
  expect(Number(deletion?.trashUntil) - before).toBeGreaterThan(3 * DAY_MS - 60_000);
  expect(Number(deletion?.trashUntil) - before).toBeLessThan(3 * DAY_MS + 60_000);
  expect(await show(id)).toMatchObject({ state: BackupState.BACKUP_STATE_SUCCEEDED, task: undefined });
  expect(await listed()).toEqual([]);
  expect(await listed(true)).toEqual([id]);
  expect((await claim(id)).grant).toBeUndefined();

  for (let i = 0; i < 2; i += 1)
    expect((await backups().undeleteBackup({ id })).backup).toMatchObject({
      deletion: { state: DeletionState.DELETION_STATE_NONE, trashUntil: undefined },
      deleteTime: undefined,
      holds: [],
    });
  expect(await listed()).toEqual([id]);
});

it('removes the files once the time is over, and no sooner for what is pinned meanwhile (Z3)', async () => {
  const [pinned, other] = [await good(), await good()];
  for (const id of [pinned, other]) await remove(id);
  await backups().pinBackup({ id: pinned });
  for (const id of [pinned, other]) await pass(id);
  await untilDeletion(other, DeletionState.DELETION_STATE_REQUESTED);
  expect((await claim(other)).grant?.$case).toBe('remove');
  expect((await show(pinned))?.deletion?.state).toBe(TRASHED);
  await expect(backups().undeleteBackup({ id: other })).rejects.toMatchObject({
    code: 'backup_not_in_bin',
    message: expect.stringContaining('Deleting'),
  });
  await backups().unpinBackup({ id: pinned });
  await untilDeletion(pinned, DeletionState.DELETION_STATE_REQUESTED);
});

it('takes what retention deletes, counts it for nothing, and brings it back pinned (Z4)', async () => {
  const older = await good(SCHEDULE);
  const newer = await good(SCHEDULE);
  expect((await remove(older, { byRetention: true }))?.state).toBe(TRASHED);
  const points = async () =>
    (await backups().listRecoveryPoints({ clusterId: cluster(), pageSize: 0, pageToken: '' })).points;
  expect((await points()).map(({ backupId }) => backupId)).toEqual([newer]);
  // What lies in the bin is not the newer good one that the last one could go for.
  await expect(remove(newer, { byRetention: true })).rejects.toMatchObject({ code: 'backup_in_use' });
  const { backup } = await backups().undeleteBackup({ id: older }, { requestId: 'r-1' });
  expect(backup?.holds).toEqual(['pin:r-1']);
  expect((await points()).map(({ backupId }) => backupId)).toEqual([newer, older]);
});

it('refuses the restore of what lies in the bin with what to do, and lets it be verified', async () => {
  const id = await good();
  await remove(id);
  const wanted = { backupId: id, targetClusterId: await service().newCluster(), options: undefined, point: undefined };
  await expect(service().restores.planRestore(wanted)).rejects.toMatchObject({
    code: 'backup_not_good',
    message: expect.stringContaining('undelete it first'),
  });
  const { backup } = await backups().verifyBackup({ id, level: 0, sample: undefined, rateLimit: 0, byRule: false });
  expect(backup).toMatchObject({ holds: ['verify:1'], deletion: { state: TRASHED } });
});

it('tells of a storage what lies in its bin, and keeps its registration as long as something does', async () => {
  const { getStorage, listStorages, deleteStorage } = service().registry;
  const id = await good();
  const binOf = async () => (await getStorage({ id: storageId, clusterId: '' })).storage?.bin;
  expect(await binOf()).toEqual({ backups: 0n, sizeBytes: 0n });
  await remove(id);
  expect(await binOf()).toEqual({ backups: 1n, sizeBytes: 7n });
  const { storages } = await listStorages({ pageToken: '' });
  expect(storages.find((one) => one.id === storageId)).toMatchObject({ trashDays: 3, bin: { backups: 1n } });
  await service().registry.putCluster({
    cluster: Cluster.create({ id: cluster(), pd: ['127.0.0.1:2379'], storageId: 'local' }),
  });
  await expect(deleteStorage({ id: storageId })).rejects.toMatchObject({ code: 'storage_in_use' });
});

it('holds for what is deleted from then on when the days change, and refuses more than a year', async () => {
  const kept = await good();
  await remove(kept);
  await put({ trashDays: 0 });
  expect((await show(kept))?.deletion?.state).toBe(TRASHED);
  const gone = await good();
  expect((await remove(gone))?.state).toBe(DeletionState.DELETION_STATE_REQUESTED);
  await expect(put({ trashDays: 366 })).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'trashDays' }] },
  });
});

it('is gone past by a person who deletes permanently, and is no way back then', async () => {
  const [inBin, other, pinned] = [await good(), await good(), await good()];
  for (const id of [inBin, pinned]) await remove(id);
  await backups().pinBackup({ id: pinned });
  for (const id of [inBin, other])
    expect((await remove(id, { permanently: true }))?.state).toBe(DeletionState.DELETION_STATE_REQUESTED);
  await expect(remove(pinned, { permanently: true })).rejects.toMatchObject({ code: 'backup_in_use' });
  await expect(backups().undeleteBackup({ id: inBin })).rejects.toMatchObject({ code: 'backup_not_in_bin' });
  expect((await claim(inBin)).grant?.$case).toBe('remove');
  for (const wrong of [{ byRetention: true }, { forget: true }])
    await expect(remove(pinned, { permanently: true, ...wrong })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'permanently' }] },
    });
});

it('lets a stream about the backup end when it is put there', async () => {
  const id = await good();
  await remove(id);
  const seen: (DeletionState | undefined)[] = [];
  for await (const { backup } of backups().watchBackup({ id, untilRemoved: true })) seen.push(backup?.deletion?.state);
  expect(seen).toEqual([TRASHED]);
});
