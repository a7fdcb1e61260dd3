/**
 * C1. A change is told at least once, also one that became visible late or that another copy dated differently.
 * C2. No change is lost between two answers, however many are of one instant.
 */
import { randomUUID } from 'node:crypto';
import { BackupState, DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { plus } from '@tidemark/task/time';
import fc from 'fast-check';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Backup } from './backup.ts';
import { type ChangedBackups, type ChangesWish, createBackupChanges, OVERLAP_MS } from './changed-backups.ts';
import { start } from './decide/start.ts';
import { ownKey } from './decide/vocabulary.ts';
import { createFinishedBackups, type FinishedBackups } from './finished-backups.ts';
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

const changes = (after: Date, limit: number, now: Date, behind?: ChangesWish['behind']) =>
  createBackupChanges(service.db).since(
    { after, limit, active: false, ...(behind && { behind }), fitting: (found) => found },
    now,
    signal,
  );
const clustersOf = ({ backups }: ChangedBackups) => backups.map(({ clusterId }) => clusterId);
const newCluster = () => `cluster-${randomUUID().slice(0, 8)}`;

/** Writes a good backup of the schedule down, as it is long after its end. */
async function good(clusterId: string, startTime: Date, fields: Partial<Backup> = {}): Promise<string> {
  const _id = randomUUID().replaceAll('-', '').slice(0, 22);
  const accepted = start({
    _id,
    request: { hash: 'h', id: 'r' },
    createdBy: 'scheduler',
    clusterId,
    mode: 'auto',
    origin: 'schedule',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    storage: { id: 'local', local: { path: '/tmp/storage' }, maxConcurrent: 0 },
    path: `root/${clusterId}/${_id}`,
    acceptedAt: startTime,
    deadlineMs: 86_400_000,
  });
  await service.db.collection<Backup>('backups').insertOne({
    ...accepted,
    state: 'Succeeded',
    activeKey: ownKey(accepted),
    slotKey: ownKey(accepted),
    task: null,
    endTime: plus(startTime, 60_000),
    updateTime: plus(startTime, 60_000),
    ...fields,
  });
  return _id;
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

describe('changed clusters', () => {
  it('begin now, and cost nothing then', async () => {
    const { clusterIds, nextAfter, more } = await service.backups.listChangedClusters({
      after: undefined,
      limit: 10,
      pageToken: '',
      active: false,
    });
    expect(clusterIds).toEqual([]);
    expect(more).toBe(false);
    expect(Math.abs(Date.now() - Number(nextAfter))).toBeLessThan(10_000);
    await expect(
      service.backups.listChangedClusters({ after: NOW, limit: 0, pageToken: '', active: false }),
    ).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('are told when a backup ended, was pinned, or is deleted, and while one runs only where that is asked for', async () => {
    const { backups } = service;
    const cluster = newCluster();
    const id = await good(cluster, at(-1_000));
    const ask = { limit: 10, pageToken: '', active: false };
    const since = await backups.listChangedClusters({ ...ask, after: undefined });
    // A second before: what the clock is known to say may be put right meanwhile.
    const asked = { ...ask, after: since.nextAfter && plus(since.nextAfter, OVERLAP_MS - 1_000) };
    const { backup: pinned } = await backups.pinBackup({ id });
    const told = async () => {
      const answer = await backups.listChangedClusters(asked);
      expect(answer.clusterIds).toContain(cluster);
      return answer.backups.find(({ backupId }) => backupId === id);
    };
    const times = { endTime: pinned?.endTime, snapshotTime: pinned?.startTime };
    const asPinned = { clusterId: cluster, revision: pinned?.revision, good: true, verified: false, ...times };
    expect(await told()).toMatchObject(asPinned);
    await backups.unpinBackup({ id });
    await backups.deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false });
    const deleted = await told();
    expect(deleted).toMatchObject({ clusterId: cluster, good: false });
    expect(deleted?.revision).toBeGreaterThan(pinned?.revision ?? 0n);
    const running = await service.newCluster();
    await backups.startBackup(wishFor(running));
    expect((await backups.listChangedClusters(asked)).clusterIds).not.toContain(running);
    expect((await backups.listChangedClusters({ ...asked, active: true })).clusterIds).toContain(running);
  });

  it('are told again where they became visible late (C1)', async () => {
    const late = newCluster();
    const before = await changes(at(-5), 10, NOW);
    expect(clustersOf(before)).not.toContain(late);
    await good(late, at(-69), { updateTime: at(-9) });
    expect(before.nextAfter).toEqual(NOW);
    expect(clustersOf(await changes(before.nextAfter, 10, at(1)))).toContain(late);
  });

  it('are all told, page by page, however many are of one instant (C2)', async () => {
    const histories = fc.array(fc.record({ second: fc.integer({ min: 0, max: 40 }), cluster: fc.nat(8) }), {
      minLength: 1,
      maxLength: 25,
    });
    let hours = 0;
    await fc.assert(
      fc.asyncProperty(histories, fc.integer({ min: 1, max: 6 }), async (history, limit) => {
        hours += 1; // each run has one of its own
        const begin = plus(new Date('2000-01-01T00:00:00Z'), hours * 3_600_000);
        const names = Array.from({ length: 9 }, newCluster);
        for (const { second, cluster } of history)
          await good(names[cluster] as string, begin, { updateTime: plus(begin, second * 1_000) });
        const told = new Set<string>();
        let after = plus(begin, OVERLAP_MS);
        let now = plus(begin, 41_000);
        let behind: ChangesWish['behind'];
        for (let calls = 0, pauses = 0; pauses < 12; calls += 1) {
          expect(calls).toBeLessThan(400);
          const answer = await changes(after, limit, now, behind);
          expect(answer.backups.length).toBeLessThanOrEqual(limit);
          for (const id of clustersOf(answer)) told.add(id);
          behind = answer.behind;
          if (behind) continue;
          expect(answer.nextAfter.getTime()).toBeGreaterThanOrEqual(after.getTime());
          after = answer.nextAfter;
          if (answer.more) continue;
          pauses += 1;
          now = plus(now, 1_000); // the caller comes again later
        }
        expect(told).toEqual(new Set(history.map(({ cluster }) => names[cluster])));
      }),
      { numRuns: 15 },
    );
  });
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
