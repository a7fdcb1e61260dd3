import { randomUUID } from 'node:crypto';
import { BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { plus } from '@tidemark/task/time';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Backup } from './backup.ts';
import { createFinishedBackups, type FinishedBackups } from './finished-backups.ts';
import { goodBackup } from './testing/good-backup.ts';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const at = (seconds: number) => plus(NOW, seconds * 1_000);
const signal = new AbortController().signal;

let service: TestService;
let finished: FinishedBackups;
beforeAll(async () => {
  service = await runningService({ TIDEMARK_RETENTION_DELETIONS: '2' });
  finished = createFinishedBackups(service.db);
});
afterAll(() => service[Symbol.asyncDispose]());

const newCluster = () => `cluster-${randomUUID().slice(0, 8)}`;

/** Writes a good backup of the schedule down, as it is long after its end. */
async function good(clusterId: string, startTime: Date, fields: Partial<Backup> = {}): Promise<string> {
  const backup = goodBackup(clusterId, startTime, fields);
  await service.db.collection<Backup>('backups').insertOne(backup);
  return backup._id;
}

describe('the newest good backup', () => {
  it('of each cluster is told, with its snapshot and the newest verified one, and of those without one nothing', async () => {
    const { backups } = service;
    const [one, other, none] = [newCluster(), newCluster(), newCluster()];
    const sound = { state: 'Good', level: 'bytes', sample: 1, sentence: '', problemCount: 0, at: NOW } as const;
    const verified = { run: 1, active: false, counts: sound };
    // Its snapshot was taken a while after it was asked for.
    const tso = String(BigInt(at(-290).getTime()) << 18n);
    const result = { tso, sizeBytes: 1, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };
    await good(one, at(-500), { verification: verified });
    await good(one, at(-300), { verification: verified, result });
    await good(one, at(-250), { verification: verified, deletion: { state: 'Requested' } });
    const newest = await good(one, at(-200), { result: { ...result, tso: '', sizeBytes: 7_000 } });
    await good(one, at(-100), { state: 'Failed' });
    await good(one, at(-50), { deletion: { state: 'Requested' } });
    const only = await good(other, at(-400));
    const found = (await backups.listNewestGood({ clusterIds: [one, other, none, one], pageToken: '' })).backups;
    expect(found.sort((a, b) => Number(b.startTime) - Number(a.startTime))).toEqual([
      {
        ...{ clusterId: one, backupId: newest, startTime: at(-200), endTime: at(-140) },
        ...{ snapshotTime: at(-200), verifiedSnapshotTime: at(-290), sizeBytes: 7_000n },
      },
      {
        ...{ clusterId: other, backupId: only, startTime: at(-400), endTime: at(-340) },
        ...{ snapshotTime: at(-400), verifiedSnapshotTime: undefined, sizeBytes: 0n },
      },
    ]);
    await expect(backups.listNewestGood({ clusterIds: Array(1_001).fill('c'), pageToken: '' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});

describe('how the last backup of a cluster ended', () => {
  it('is told with the newest good ones, also of a cluster that has none, and not of one that runs', async () => {
    const [fine, failed, canceled] = [newCluster(), newCluster(), newCluster()];
    const [damaged, young, none] = [newCluster(), newCluster(), newCluster()];
    const clusterIds = [fine, failed, canceled, damaged, young, none];
    const counts = { state: 'Damaged', level: 'bytes', sample: 1, sentence: '', problemCount: 1, at: NOW } as const;
    await good(fine, at(-300), { state: 'Failed' });
    await good(fine, at(-200));
    await good(failed, at(-300));
    await good(failed, at(-200), { state: 'Failed' });
    await good(failed, at(-100), { state: 'Running', endTime: null });
    await good(canceled, at(-200), { state: 'Canceled' });
    await good(damaged, at(-300));
    await good(damaged, at(-200), { verification: { run: 1, active: false, counts } });
    await good(young, at(-100), { state: 'Queued', endTime: null });
    const { backups, last } = await service.backups.listNewestGood({ clusterIds, pageToken: '' });
    const { BACKUP_STATE_SUCCEEDED, BACKUP_STATE_FAILED, BACKUP_STATE_CANCELED } = BackupState;
    expect(new Map(last.map(({ clusterId, state, endTime }) => [clusterId, [state, endTime]]))).toEqual(
      new Map([
        [fine, [BACKUP_STATE_SUCCEEDED, at(-140)]],
        [failed, [BACKUP_STATE_FAILED, at(-140)]],
        [canceled, [BACKUP_STATE_CANCELED, at(-140)]],
        [damaged, [BACKUP_STATE_SUCCEEDED, at(-140)]],
      ]),
    );
    expect(new Map(backups.map(({ clusterId, startTime }) => [clusterId, startTime]))).toEqual(
      new Map([
        [fine, at(-200)],
        [failed, at(-300)],
        [damaged, at(-300)],
      ]),
    );
  });
});

describe('how things stand with the backups of a cluster', () => {
  it('takes one question where its last backup is its newest good one', async () => {
    await using client = new MongoClient(inject('mongodbUrl'), { monitorCommands: true });
    let asked = 0;
    client.on('commandStarted', ({ commandName }) => {
      if (commandName === 'find') asked += 1;
    });
    const { standingsOf } = createFinishedBackups(client.db(service.db.databaseName));
    const clusterIds = Array.from({ length: 5 }, newCluster);
    for (const one of clusterIds) for (const seconds of [-300, -200, -100]) await good(one, at(seconds));
    const standings = await standingsOf(clusterIds, signal);
    expect(standings.map(({ newest }) => newest?.startTime)).toEqual(clusterIds.map(() => at(-100)));
    expect(asked).toBe(clusterIds.length);
    await good(clusterIds[0] ?? '', at(-50), { state: 'Running', endTime: null });
    await standingsOf(clusterIds, signal);
    expect(asked).toBe(2 * clusterIds.length);
  });
});

describe('the good backups of a storage', () => {
  it('are counted with their bytes, without those that are deleted, damaged or failed', async () => {
    const cluster = newCluster();
    const id = newCluster();
    const storage = { id, local: { path: '/tmp/storage' }, maxConcurrent: 0 };
    const result = { tso: '', sizeBytes: 3_000_000_000, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };
    const of = (fields: Partial<Backup> = {}) => good(cluster, at(-100), { storage, result, ...fields });
    const counts = { state: 'Good', level: 'bytes', sample: 1, sentence: '', problemCount: 0, at: NOW } as const;
    expect((await finished.goodByStorage(signal)).find(({ storageId }) => storageId === id)).toBeUndefined();
    await of();
    await of({ verification: { run: 1, active: false, counts } });
    await of({ verification: { run: 1, active: false, counts: { ...counts, state: 'Damaged' } } });
    await of({ deletion: { state: 'Requested' } });
    await of({ state: 'Failed' });
    expect(await finished.goodByStorage(signal)).toContainEqual({
      storageId: id,
      backups: 2,
      sizeBytes: 6_000_000_000,
    });
  });
});

describe('what goes on in clusters', () => {
  it('is what runs or waits, and what ended last, and nothing of a cluster that has no backup', async () => {
    const { backups } = service;
    const [idle, busy] = [newCluster(), await service.newCluster()];
    await good(idle, at(-2_000));
    const last = await good(idle, at(-1_000));
    const { backup } = await backups.startBackup(wishFor(busy));
    const active = { backupId: backup?.id, state: BackupState.BACKUP_STATE_QUEUED, queuePosition: 1 };
    const { clusters } = await backups.listActivity({ clusterIds: [idle, busy, newCluster(), idle] });
    expect(clusters).toMatchObject([
      { clusterId: idle, active: undefined, last: { backupId: last, state: BackupState.BACKUP_STATE_SUCCEEDED } },
      { clusterId: busy, active, last: undefined },
    ]);
  });

  it('is asked for some clusters at a time', async () =>
    expect(service.backups.listActivity({ clusterIds: Array(201).fill('c') })).rejects.toMatchObject({
      code: 'invalid_argument',
    }));
});

describe('deletion by retention', () => {
  const deletion = (id: string) => ({ id, clusterId: '', reason: 'keep last 1', byRetention: true, forget: false });

  it('takes old backups, never the newest good one, a pinned one, or one that somebody started', async () => {
    const { backups } = service;
    const cluster = newCluster();
    const old = await good(cluster, at(-300));
    const pinned = await good(cluster, at(-200), { holds: ['pin:r'] });
    const manual = await good(cluster, at(-150), { origin: 'request' });
    const newest = await good(cluster, at(-100));
    await expect(backups.deleteBackup(deletion(newest))).rejects.toMatchObject({
      code: 'backup_in_use',
      message: expect.stringContaining('it is the newest good backup'),
    });
    await expect(backups.deleteBackup(deletion(pinned))).rejects.toMatchObject({ code: 'backup_in_use' });
    await expect(backups.deleteBackup(deletion(manual))).rejects.toMatchObject({ code: 'wrong_state' });
    const { backup } = await backups.deleteBackup(deletion(old), { caller: 'scheduler-service' });
    expect(backup?.deletion).toMatchObject({
      state: DeletionState.DELETION_STATE_REQUESTED,
      by: 'retention',
      reason: 'keep last 1',
    });
    const stored = await service.db.collection<Backup>('backups').findOne({ _id: old });
    expect(stored?.deletion.by).toEqual({ kind: 'retention', name: 'scheduler-service' });
    await service.db.collection<Backup>('backups').updateOne({ _id: old }, { $set: { 'deletion.state': 'Deleted' } });
  });

  it('goes only so many at once, while a person is not kept waiting and a repeat is answered', async () => {
    const { backups } = service;
    const cluster = newCluster();
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.push(await good(cluster, at(-1_000 + n)));
    const [first = '', second = '', third = '', fourth = ''] = ids;
    await backups.deleteBackup(deletion(first));
    await backups.deleteBackup(deletion(second));
    await expect(backups.deleteBackup(deletion(third))).rejects.toMatchObject({
      code: 'too_many_requests',
      details: { retryAfterMs: 5_000 },
    });
    await backups.deleteBackup(deletion(second));
    await backups.deleteBackup({ ...deletion(fourth), byRetention: false, forget: false });
    await service.db.collection<Backup>('backups').updateOne({ _id: first }, { $set: { 'deletion.state': 'Deleted' } });
    await backups.deleteBackup(deletion(third));
  });
});
