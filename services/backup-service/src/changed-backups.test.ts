/**
 * C1. A change is told at least once, also one that became visible late or that another copy dated differently.
 * C2. No change is lost between two answers, however many are of one instant.
 */
import { randomUUID } from 'node:crypto';
import { plus } from '@tidemark/task/time';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Backup } from './backup.ts';
import { type ChangedBackups, type ChangesWish, createBackupChanges, OVERLAP_MS } from './changed-backups.ts';
import { goodBackup } from './testing/good-backup.ts';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const at = (seconds: number) => plus(NOW, seconds * 1_000);
const signal = new AbortController().signal;

let service: TestService;
beforeAll(async () => {
  service = await runningService();
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
  const backup = goodBackup(clusterId, startTime, fields);
  await service.db.collection<Backup>('backups').insertOne(backup);
  return backup._id;
}

it('changed clusters begin now, and cost nothing then', async () => {
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

it('changed clusters are told when a backup ended, was pinned, or is deleted, and while one runs only where that is asked for', async () => {
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

it('changed clusters are told again where they became visible late (C1)', async () => {
  const late = newCluster();
  const before = await changes(at(-5), 10, NOW);
  expect(clustersOf(before)).not.toContain(late);
  await good(late, at(-69), { updateTime: at(-9) });
  expect(before.nextAfter).toEqual(NOW);
  expect(clustersOf(await changes(before.nextAfter, 10, at(1)))).toContain(late);
});

it('changed clusters are all told, page by page, however many are of one instant (C2)', async () => {
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
