import { randomUUID } from 'node:crypto';
import { MAX_OUTPUT_FIRST_BYTES, MAX_OUTPUT_LAST_BYTES } from '@tidemark/limits/limits';
import type { ReadBackupLogResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { FailureClass, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAttemptOutputStore } from './attempt-output-store.ts';
import { runningService, type TestService, wishFor } from './testing/running-service.ts';

const PIECE = 64 * 1024;

describe('the output of attempts', () => {
  let tidemark: TestService;
  beforeAll(async () => {
    tidemark = await runningService();
  });
  afterAll(() => tidemark[Symbol.asyncDispose]());

  const startRun = async () => {
    const { backup } = await tidemark.backups.startBackup(wishFor(await tidemark.newCluster()));
    return claim(backup?.id ?? '');
  };
  const claim = async (backupId: string) => {
    const token = randomUUID();
    const { grant } = await tidemark.executor.claimTask({
      backupId,
      claim: token,
      worker: 'w1',
      pool: 'default',
      instance: '',
      outOfReach: [],
    });
    if (grant?.$case !== 'backup') throw new Error('the backup was not granted');
    return { backupId, claim: token, fence: grant.value.fence };
  };
  type Task = Awaited<ReturnType<typeof claim>>;
  const report = (task: Task, sequence: number, offset: number, text: string | Buffer) =>
    tidemark.executor.reportOutput({ task, sequence, offset: BigInt(offset), data: Buffer.from(text) });
  const read = async (id: string, options: { attempt?: number; follow?: boolean } = {}, from = tidemark) => {
    const pieces: ReadBackupLogResponse[] = [];
    for await (const piece of from.backups.readBackupLog({ id, attempt: 0, follow: false, ...options }))
      pieces.push(piece);
    return pieces;
  };
  const textOf = (pieces: readonly ReadBackupLogResponse[]) => pieces.map(({ data }) => data.toString()).join('');
  const fail = (task: Task) =>
    tidemark.executor.completeTask({
      task,
      outcome: {
        $case: 'failed',
        value: {
          class: FailureClass.FAILURE_CLASS_RETRY,
          reason: { code: 'X', message: 'x', detail: '' },
          delaySeconds: 0,
        },
      },
    });

  it('can be read from any copy of the service, attempt by attempt, while it runs and afterwards', async () => {
    const first = await startRun();
    await report(first, 0, 0, 'one ');
    await report(first, 1, 4, 'two ');
    expect(textOf(await read(first.backupId))).toBe('one two ');
    await fail(first);
    const second = await claim(first.backupId);
    await report(second, 0, 0, 'three');
    await using other = await tidemark.another();
    const pieces = await read(first.backupId, {}, other);
    expect(textOf(pieces)).toBe('one two three');
    expect(pieces.map(({ attempt }) => attempt)).toEqual([1, 1, 2]);
    expect(textOf(await read(first.backupId, { attempt: 2 }))).toBe('three');
    expect(textOf(await read(first.backupId, { attempt: 1, follow: true }))).toBe('one two ');
  });

  it('is followed until the backup is over', async () => {
    const task = await startRun();
    const followed = read(task.backupId, { follow: true });
    await report(task, 0, 0, 'begun, ');
    await report(task, 1, 7, 'done');
    await tidemark.executor.completeTask({
      task,
      outcome: {
        $case: 'failed',
        value: {
          class: FailureClass.FAILURE_CLASS_PERMANENT,
          reason: { code: 'X', message: 'x', detail: '' },
          delaySeconds: undefined,
        },
      },
    });
    expect(textOf(await followed)).toBe('begun, done');
  });

  it('changes nothing when a piece is told twice, and keeps the last words of an attempt that is over', async () => {
    const task = await startRun();
    await report(task, 0, 0, 'once');
    await report(task, 0, 0, 'once');
    await fail(task);
    expect(await report(task, 1, 4, ' more')).toEqual({ standing: TaskStanding.TASK_STANDING_HELD });
    expect(textOf(await read(task.backupId))).toBe('once more');
  });

  it('is refused from who holds no claim, in too large pieces, and for backups that are not there', async () => {
    const task = await startRun();
    expect(await report({ ...task, claim: randomUUID() }, 0, 0, 'x')).toEqual({
      standing: TaskStanding.TASK_STANDING_LOST,
    });
    expect(await report({ ...task, fence: 99n }, 0, 0, 'x')).toEqual({ standing: TaskStanding.TASK_STANDING_LOST });
    await expect(report(task, 0, 0, Buffer.alloc(PIECE + 1))).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(report(task, -1, 0, 'x')).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(read('no-such-backup')).rejects.toMatchObject({ code: 'backup_not_found' });
    await expect(read('..')).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await read(task.backupId)).toEqual([]);
  });

  it('of an attempt that was never made is refused, and waited for where it is followed and may still come', async () => {
    const task = await startRun();
    const refused = { code: 'invalid_argument', details: { fields: [{ field: 'attempt' }] } };
    await expect(read(task.backupId, { attempt: 2 })).rejects.toMatchObject(refused);
    const followed = read(task.backupId, { attempt: 2, follow: true });
    await fail(task);
    const second = await claim(task.backupId);
    await report(second, 0, 0, 'came');
    await fail(second);
    expect(textOf(await followed)).toBe('came');
    await expect(read(task.backupId, { attempt: 9 })).rejects.toMatchObject(refused);
  });

  it('keeps the first and the last part of an attempt that printed much, and says how much lies between', async () => {
    const task = await startRun();
    const total = MAX_OUTPUT_FIRST_BYTES + MAX_OUTPUT_LAST_BYTES + 64 * PIECE;
    for (let sequence = 0; sequence * PIECE < total; sequence += 1)
      await report(task, sequence, sequence * PIECE, Buffer.alloc(PIECE, sequence % 256));
    const pieces = await read(task.backupId);
    const kept = pieces.reduce((sum, { data }) => sum + data.length, 0);
    const skipped = pieces.reduce((sum, piece) => sum + Number(piece.skippedBytes), 0);
    expect(kept + skipped).toBe(total);
    expect(kept).toBeGreaterThanOrEqual(MAX_OUTPUT_FIRST_BYTES + MAX_OUTPUT_LAST_BYTES);
    expect(kept).toBeLessThan(MAX_OUTPUT_FIRST_BYTES + MAX_OUTPUT_LAST_BYTES + 17 * PIECE);
    expect(pieces[0]?.data[0]).toBe(0);
    expect(pieces.at(-1)?.data[0]).toBe((total / PIECE - 1) % 256);
    expect(pieces.filter(({ skippedBytes }) => skippedBytes > 0n)).toHaveLength(1);
  });

  it('goes when its time is over, and only then', async () => {
    const task = await startRun();
    await report(task, 0, 0, 'old');
    const store = createAttemptOutputStore(tidemark.db);
    await store.removeBefore(new Date(Date.now() - 3_600_000));
    expect(textOf(await read(task.backupId))).toBe('old');
    await store.removeBefore(new Date(Date.now() + 3_600_000));
    expect(await read(task.backupId)).toEqual([]);
  });
});
