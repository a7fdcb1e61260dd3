/** Starts of backups: keys, paths, what is refused, and the first ring. */
import { BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { ListBackupsRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { Cluster, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { beforeEach, expect, it, vi } from 'vitest';
import type { Backup } from './backup.ts';
import { backupCalls } from './testing/backup-calls.ts';

const { service, cluster, rung, start, finished, claim, selection } = backupCalls();
const backups = () => service().backups;
const registry = () => service().registry;
const db = () => service().db;
let clusterId: string;
beforeEach(() => {
  clusterId = cluster();
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

it('writes a new backup and its next ring in one go, before it rings (T2)', async () => {
  const { id } = await start();
  await vi.waitFor(() => expect(rung).toContain(id));
  const written = await db().collection<Backup>('backups').findOne({ _id: id });
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
  const { id } = await start();
  await vi.waitFor(() => expect(rung).toContain(id));
  rung.length = 0;
  // As if the copy that accepted it had been killed before it rang.
  await db()
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
