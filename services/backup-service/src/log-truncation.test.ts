/** What retention takes out of logs, from the judgement to the end, asked over gRPC as workers ask. */
import { randomUUID } from 'node:crypto';
import type { AppError } from '@tidemark/errors/app-error';
import { ClaimLogTruncationRequest, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { plus } from '@tidemark/task/time';
import { expect, it, vi } from 'vitest';
import type { Backup } from './backup.ts';
import type { LogBackup } from './log/log-backup.ts';
import { tsoAt } from './snapshot-time.ts';
import { backupCalls } from './testing/backup-calls.ts';
import { goodBackup } from './testing/good-backup.ts';
import { generationOf, logsOfCluster } from './testing/logs-of-cluster.ts';

const calls = backupCalls();
const { service, cluster } = calls;
const { goodAt, damage, logged, change, backup } = logsOfCluster(calls);
const BEGAN = Date.now();
/** The point of so many days ago. */
const ago = (days: number) => tsoAt(new Date(BEGAN - days * 86_400_000));
const settings = { storageId: 'local', retentionDays: 2, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
const HELD = TaskStanding.TASK_STANDING_HELD;
const WAIT = { timeout: 20_000, interval: 50 };

const collection = () => service().db.collection<LogBackup>('logBackups');
const generations = async () => (await collection().findOne({ _id: cluster() }))?.generations ?? [];
/** Has retention look at all logs, as every copy does when it starts, until it has done what is expected. */
async function untilRetained(expected: () => Promise<void>): Promise<void> {
  await using _ = await service().another();
  await vi.waitFor(expected, WAIT);
}
const retained = (...wanted: readonly object[]) =>
  untilRetained(async () => expect(await generations()).toMatchObject(wanted));
async function claim(pool = 'default') {
  const token = randomUUID();
  const request = { clusterId: cluster(), claim: token, worker: 'w', pool, instance: '' };
  const { grant } = await service().executor.claimLogTruncation(ClaimLogTruncationRequest.create(request));
  return grant && { grant, log: { clusterId: cluster(), claim: token, fence: grant.fence } };
}
async function claimed() {
  const answer = await claim();
  if (!answer) throw new Error('nothing was granted');
  return answer;
}

it('truncates a log up to the base of its horizon, by a worker of its pool, until that says that the files are gone', async () => {
  await goodAt(ago(4));
  await goodAt(ago(3));
  await goodAt(ago(1));
  await logged([generationOf(1, ago(5), ago(0))], { settings });
  await retained({ min: String(ago(3)), truncating: { until: String(ago(3)), by: 'retention' } });
  expect(await claim('another')).toBeUndefined();
  const { grant, log } = await claimed();
  expect(grant).toMatchObject({ untilTs: ago(3), path: 'nfs/t/log-1-aaaaaaaa', storage: { id: 'local' } });
  expect(await claim()).toBeUndefined();
  expect(await service().executor.renewLogTruncation({ log })).toEqual({ standing: HELD });
  expect(await service().executor.releaseLogTruncation({ log })).toEqual({ standing: HELD });
  const second = await claimed();
  const lost = await service().executor.completeLogTruncation({ log, trouble: undefined });
  expect(lost.standing).toBe(TaskStanding.TASK_STANDING_LOST);
  expect(await service().executor.completeLogTruncation({ log: second.log, trouble: undefined })).toEqual({
    standing: HELD,
  });
  expect(await generations()).toMatchObject([{ min: String(ago(3)), truncating: null }]);
});

it('removes the full backups that logs began with, once nothing of the horizon is replayed from them, and those of people never', async () => {
  const made = async (days: number, origin: Backup['origin']) => {
    const id = await goodAt(ago(days));
    await change(id, { origin, startTime: new Date(BEGAN - days * 86_400_000) });
    return id;
  };
  const [spare, byHand] = [await made(5, 'log'), await made(4, 'request')];
  const [base, young] = [await made(3, 'log'), await made(1, 'log')];
  await logged([generationOf(1, ago(6), ago(0))], { settings });
  const deletionOf = async (id: string) => (await backup(id))?.deletion;
  const gone = { state: 'Requested', by: { kind: 'retention', name: 'log backup' } };
  await untilRetained(async () => expect(await deletionOf(spare)).toMatchObject(gone));
  expect(await generations()).toMatchObject([{ min: String(ago(3)) }]);
  for (const id of [byHand, base, young]) expect(await deletionOf(id)).toMatchObject({ state: 'None' });
});

it('removes such a one also where a hundred older ones are pinned, and stay', async () => {
  const [spare] = [await goodAt(ago(5)), await goodAt(ago(3)), await goodAt(ago(1))];
  const daysAgo = (days: number) => new Date(BEGAN - days * 86_400_000);
  await change(spare, { origin: 'log', startTime: daysAgo(5) });
  const pinned = Array.from({ length: 100 }, (_, at) =>
    goodBackup(cluster(), plus(daysAgo(9), at), { origin: 'log', holds: ['pin:r'] }),
  );
  const backups = service().db.collection<Backup>('backups');
  await backups.insertMany(pinned);
  await logged([generationOf(1, ago(6), ago(0))], { settings });
  await untilRetained(async () => expect((await backup(spare))?.deletion.state).toBe('Requested'));
  for (const { _id } of pinned) expect((await backup(_id))?.deletion.state).toBe('None');
  // Each copy that starts would look at all of them again.
  await backups.deleteMany({ clusterId: cluster() });
});

it('tells which backup the points of the horizon are restored from', async () => {
  const listed = () => service().backups.listNeededBases({ clusterId: cluster() });
  expect(await listed()).toEqual({ bases: [] });
  await goodAt(ago(4));
  const [base, newer] = [await goodAt(ago(3)), await goodAt(ago(1))];
  await logged([generationOf(1, ago(5), ago(0))], { settings });
  const { bases } = await listed();
  expect(bases).toMatchObject([{ backupId: base, toTime: undefined }]);
  expect(Number(bases[0]?.fromTime)).toBeGreaterThanOrEqual(BEGAN - 2 * 86_400_000);
  await damage(base);
  await logged([generationOf(1, ago(2), ago(0))], { settings });
  expect((await listed()).bases).toMatchObject([{ backupId: newer }]);
});

it('takes a truncation back whose base was found damaged before a worker began', async () => {
  const [older, base] = [await goodAt(ago(4)), await goodAt(ago(3))];
  await logged([generationOf(1, ago(5), ago(0))], { settings });
  await retained({ min: String(ago(3)) });
  await damage(base);
  expect(await claim()).toBeUndefined();
  expect(await generations()).toMatchObject([{ min: String(ago(5)), truncating: null }]);
  await damage(older);
});

it('removes a log that ended before the horizon, also of a cluster that is registered no more', async () => {
  const ended = { open: false, endedWhy: 'stopped', endedAt: new Date(), pool: 'default' } as const;
  await logged([generationOf(1, ago(9), ago(5), ended)], { settings });
  await service().registry.deleteCluster({ id: cluster() });
  await retained({ truncating: { until: null } });
  const { grant, log } = await claimed();
  expect(grant).toMatchObject({ untilTs: 0n, path: 'nfs/t/log-1-aaaaaaaa' });
  const trouble = { code: 'FILES_LEFT', message: '2 files stay.', detail: '' };
  expect(await service().executor.completeLogTruncation({ log, trouble })).toEqual({ standing: HELD });
  expect(await generations()).toMatchObject([{ truncating: { tries: 1, trouble: { code: 'FILES_LEFT' } } }]);
  expect(await claim()).toBeUndefined();
  const past = new Date(0);
  const due = { 'generations.0.truncating.task.notBefore': past } as object;
  await collection().updateOne({ _id: cluster() }, { $set: due });
  const again = await claimed();
  await service().executor.completeLogTruncation({ log: again.log, trouble: undefined });
  expect(await generations()).toEqual([]);
});

it('removes all logs with their files for a person who was told which points that loses', async () => {
  await goodAt(ago(3));
  const ended = { open: false, endedWhy: 'stopped', endedAt: new Date(), pool: 'default' } as const;
  await logged([generationOf(1, ago(4), ago(2), ended)], { settings });
  const stop = (acknowledge?: string) =>
    service().logBackups.stopLogBackup({ clusterId: cluster(), removeFiles: true, acknowledge });
  const refusal = await stop().then(
    () => undefined,
    (error: AppError) => error,
  );
  expect(refusal).toMatchObject({
    code: 'points_would_be_lost',
    message: expect.stringMatching(/could be restored no longer\. The files of its logs are removed only if/),
  });
  expect(await generations()).not.toMatchObject([{ truncating: {} }]);
  const { logBackup } = await stop(String(refusal?.details.info?.acknowledge));
  expect(logBackup?.generations).toMatchObject([{ truncating: { until: undefined, byRetention: false } }]);
  const { grant, log } = await claimed();
  expect(grant).toMatchObject({ untilTs: 0n, path: 'nfs/t/log-1-aaaaaaaa' });
  await service().executor.completeLogTruncation({ log, trouble: undefined });
  expect(await generations()).toEqual([]);
});
