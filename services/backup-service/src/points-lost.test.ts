/** What a person is told who deletes a backup from which points of a log are restored, asked over gRPC (P10). */
import { randomUUID } from 'node:crypto';
import { DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { expect, it } from 'vitest';
import { tsoAt } from './snapshot-time.ts';
import { backupCalls } from './testing/backup-calls.ts';
import { generationOf, logsOfCluster } from './testing/logs-of-cluster.ts';

const calls = backupCalls();
const { service } = calls;
const made = logsOfCluster(calls);
const { backup, change, damage } = made;
const BEGAN = Date.now();
const minutesAgo = (minutes: number) => new Date(BEGAN - minutes * 60_000);
const pointAt = (minutes: number) => tsoAt(minutesAgo(minutes));
const told = (minutes: number) => minutesAgo(minutes).toISOString();

/** A good backup that holds the point of so many minutes ago. */
const goodAt = (minutes: number) => made.goodAt(pointAt(minutes));

/** A log from then to then, of which nothing more is written where it ended. */
const logged = (fromMinutes: number, toMinutes: number, open = true) =>
  made.logged([generationOf(1, pointAt(fromMinutes), pointAt(toMinutes), { open, endedWhy: open ? null : 'stopped' })]);

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
