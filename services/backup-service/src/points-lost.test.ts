/** What a person is told who deletes a backup from which points of a log are restored, asked over gRPC (P10). */
import { randomUUID } from 'node:crypto';
import { DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { CompleteTaskRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { expect, it } from 'vitest';
import type { Backup } from './backup.ts';
import { type LogBackup, type LogGeneration, newLogBackup } from './log/log-backup.ts';
import { tsoAt } from './snapshot-time.ts';
import { backupCalls } from './testing/backup-calls.ts';

const { service, cluster, start, claim } = backupCalls();
const BEGAN = Date.now();
const minutesAgo = (minutes: number) => new Date(BEGAN - minutes * 60_000);
const pointAt = (minutes: number) => String(tsoAt(minutesAgo(minutes)));
const told = (minutes: number) => minutesAgo(minutes).toISOString();

/** A good backup that holds the point of so many minutes ago. */
async function goodAt(minutes: number): Promise<string> {
  const { id } = await start();
  const { grant } = await claim(id);
  const token = (await backup(id))?.task?.claim ?? '';
  const result = {
    tso: BigInt(pointAt(minutes)),
    sizeBytes: 7n,
    files: 1n,
    tidbClusterId: 1n,
    clusterVersion: '8.5.0',
  };
  await service().executor.completeTask(
    CompleteTaskRequest.create({
      task: { backupId: id, claim: token, fence: grant?.value.fence ?? 0n },
      outcome: { $case: 'succeeded', value: { result: { ...result, remark: '' }, exitSeen: true } },
    }),
  );
  return id;
}

const collection = () => service().db.collection<Backup>('backups');
const backup = (id: string) => collection().findOne({ _id: id });
const change = (id: string, fields: object) =>
  collection().updateOne({ _id: id }, { $set: fields, $inc: { revision: 1 } });
const damage = (id: string) =>
  change(id, {
    verification: {
      ...{ run: 1, active: false },
      counts: { state: 'Damaged', level: 'bytes', at: new Date(), sample: 100, sentence: '', problemCount: 1 },
    },
  });

/** A log from then to then, of which nothing more is written where it ended. */
async function logged(fromMinutes: number, toMinutes: number, open = true): Promise<void> {
  const generation: LogGeneration = {
    ...{ n: 1, taskName: 'tidemark_t_1_aaaaaaaa', path: 'log-1', createTime: minutesAgo(fromMinutes) },
    ...{ storage: { id: 'local', local: { path: '/s' }, maxConcurrent: 0 }, startTs: pointAt(fromMinutes) },
    ...{ min: pointAt(fromMinutes), max: pointAt(toMinutes), open, begun: null, started: true, stopping: false },
    ...{ dead: false, baseId: null, vanished: null, endedWhy: open ? null : 'stopped', endedAt: null },
  };
  const log: LogBackup = { ...newLogBackup(cluster(), new Date()), generations: [generation] };
  await service().db.collection<LogBackup>('logBackups').replaceOne({ _id: cluster() }, log, { upsert: true });
}

const remove = (id: string, fields: { acknowledge?: string; permanently?: boolean } = {}) =>
  service().backups.deleteBackup({ id, clusterId: '', reason: '', byRetention: false, forget: false, ...fields });

interface Refused {
  readonly message: string;
  readonly details: { readonly info: Readonly<Record<string, string>> };
}
async function refused(id: string, acknowledge?: string): Promise<Refused> {
  const error = await remove(id, acknowledge === undefined ? {} : { acknowledge }).then(
    () => expect.fail('it was deleted'),
    (thrown) => thrown,
  );
  expect(error).toMatchObject({ code: 'points_would_be_lost' });
  expect((await backup(id))?.deletion).toEqual({ state: 'None' });
  return error;
}

it('is told which points go with it, deletes nothing, and deletes once that is acknowledged', async () => {
  await logged(50, 0);
  const [older, newer] = [await goodAt(40), await goodAt(20)];
  const { message, details } = await refused(older);
  expect(details.info).toMatchObject({ lastGood: 'false', backupId: older });
  expect(details.info.lost).toMatch(new RegExp(`^${told(40)}/`));
  expect(message).toContain(`from ${told(40)} to `);
  await refused(older, randomUUID());
  const { backup: deleted } = await remove(older, { acknowledge: details.info.acknowledge ?? '' });
  expect(deleted?.deletion?.state).toBe(DeletionState.DELETION_STATE_REQUESTED);
  // A repeat needs no acknowledgement: nothing more is lost.
  expect((await remove(older)).backup?.deletion?.state).toBe(DeletionState.DELETION_STATE_REQUESTED);
  expect((await refused(newer)).details.info).toMatchObject({ lastGood: 'true', lost: `${told(20)}/..` });
});

it('is told anew where the backup that would have served is found damaged after the telling', async () => {
  await logged(50, 0);
  const [older, newer] = [await goodAt(40), await goodAt(20)];
  const { acknowledge = '' } = (await refused(older)).details.info;
  await damage(newer);
  const anew = (await refused(older, acknowledge)).details.info;
  expect(anew).toMatchObject({ lost: `${told(40)}/..`, lastGood: 'true' });
  await remove(older, { acknowledge: anew.acknowledge ?? '' });
});

it('what the log writes between the telling and the deletion changes nothing', async () => {
  await logged(50, 10);
  const only = await goodAt(40);
  const { acknowledge = '' } = (await refused(only)).details.info;
  await logged(50, 0);
  expect((await remove(only, { acknowledge })).backup?.deletion?.state).toBe(DeletionState.DELETION_STATE_REQUESTED);
});

it('deletes without a word what no point needs, and all of a cluster whose log backup never ran', async () => {
  const [first, last] = [await goodAt(40), await goodAt(20)];
  for (const id of [first, last])
    expect((await remove(id)).backup?.deletion?.state).toBe(DeletionState.DELETION_STATE_REQUESTED);
  await logged(50, 0);
  const [base, later, before] = [await goodAt(40), await goodAt(20), await goodAt(60)];
  for (const id of [later, before])
    expect((await remove(id)).backup?.deletion?.state).toBe(DeletionState.DELETION_STATE_REQUESTED);
  await refused(base);
});

it('is told too where retention wants it gone already and could still take that back', async () => {
  await logged(50, 0);
  const [older, newer] = [await goodAt(40), await goodAt(20)];
  await change(older, { deletion: { state: 'Requested', by: { kind: 'retention', name: 'r' }, at: new Date() } });
  await expect(remove(older)).rejects.toMatchObject({ code: 'points_would_be_lost' });
  expect((await backup(older))?.deletion.by?.kind).toBe('retention');
  await refused(newer);
});
