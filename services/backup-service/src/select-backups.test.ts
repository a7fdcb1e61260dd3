/** Lists of backups: pages, totals, and the filters by time. */
import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { expect, it } from 'vitest';
import { backupCalls } from './testing/backup-calls.ts';

const { service, start, finished, selection } = backupCalls();
const backups = () => service().backups;

it('lists newest first, in pages, and counts the whole selection', async () => {
  // On a busy machine the time of the database is known to some milliseconds only, and these follow upon one another.
  const made = [await finished(), await finished(), await finished()];
  const ids = made.sort((one, other) => Number(other.startTime) - Number(one.startTime)).map(({ id }) => id);
  const first = await backups().listBackups(selection({ pageSize: 2 }));
  expect(first.backups.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  expect(first.total).toBe(3n);
  const second = await backups().listBackups(selection({ pageSize: 2, page: 2 }));
  expect(second.backups.map(({ id }) => id)).toEqual(ids.slice(2));
  expect((await backups().listBackups(selection({ page: 9 }))).backups).toEqual([]);
  expect((await backups().listBackups(selection({ states: [BackupState.BACKUP_STATE_FAILED] }))).total).toBe(0n);
  await expect(backups().listBackups(selection({ page: 0 }))).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(backups().listBackups(selection({ pageSize: 99_999 }))).rejects.toMatchObject({
    code: 'invalid_argument',
  });
});

it('selects by the time of start and end (C6)', async () => {
  const backup = await finished();
  const before = new Date((backup.startTime?.getTime() ?? 0) - 1);
  const later = new Date(Date.now() + 60_000);
  for (const startedAtOrAfter of [before, backup.startTime])
    expect((await backups().listBackups(selection({ startedAtOrAfter }))).total).toBe(1n);
  expect((await backups().listBackups(selection({ startedAtOrAfter: later }))).total).toBe(0n);
  for (const time of ['0001-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '9999-12-31T23:59:59Z'].map(
    (text) => new Date(text),
  ))
    expect(
      [
        (await backups().listBackups(selection({ startedAtOrAfter: time }))).total,
        (await backups().listBackups(selection({ endedAtOrBefore: time }))).total,
      ],
      time.toISOString(),
    ).toEqual(time.getUTCFullYear() === 9999 ? [0n, 1n] : [1n, 0n]);
  expect((await backups().listBackups(selection({ endedAtOrBefore: later }))).total).toBe(1n);
  expect((await backups().listBackups(selection({ endedAtOrBefore: before }))).total).toBe(0n);
});

it('selects by the very instant of an end, and by the start what has not ended', async () => {
  const { id: ended } = await finished();
  const { id: active, startTime } = await start();
  const endTime = (await backups().getBackup({ id: ended })).backup?.endTime;
  const found = async (id: string, instant: Date | undefined, later = 0) => {
    const endedAtOrBefore = new Date((instant?.getTime() ?? Number.NaN) + later);
    return (await backups().listBackups(selection({ id, endedAtOrBefore }))).total;
  };
  expect([await found(ended, endTime), await found(ended, endTime, -1)]).toEqual([1n, 0n]);
  expect([await found(active, startTime), await found(active, startTime, -1)]).toEqual([1n, 0n]);
});
