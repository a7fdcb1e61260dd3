/**
 * What a worker does with a backup in an S3 store, as tests that every store must pass: look at its path, verify it,
 * delete it, check the storage, rebuild its records.
 */

import { verifyBackup } from '@tidemark/backupmeta/backupmeta';
import { CheckRef, ManifestVerdict, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { type Bucket, FILE_COUNT, ROOT, SSTS } from '@tidemark/storage/testing/s3-bucket';
import { expect, it } from 'vitest';
import { lockedForMs } from '../br/checkpoint-lock.ts';
import { createCheckSteps } from '../check-steps.ts';
import { runCheckTask } from '../check-task.ts';
import { runRebuildTask } from '../rebuild-task.ts';
import { runRemoval } from './run-removal.ts';

const never = new AbortController().signal;

/** The lock of a `br` that is at work. */
export const freshLock = () => JSON.stringify({ 'lock-id': 1, 'expire-at': Date.now() + 100_000 });

/** The steps of a rebuild, and the manifests that it offered. */
export async function rebuild({ storage, env }: Bucket) {
  const steps = createCheckSteps();
  const offered: string[] = [];
  await runRebuildTask({
    checkId: 'check-1',
    check: CheckRef.create({ checkId: 'check-1', claim: 'claim', fence: 1n }),
    storage,
    env,
    steps,
    lost: never,
    drain: never,
    requestId: 'r1',
    callMs: 1_000,
    client: {
      async offerManifest({ manifest }) {
        offered.push(Buffer.from(manifest).toString());
        const verdict = ManifestVerdict.MANIFEST_VERDICT_REBUILT;
        return { standing: TaskStanding.TASK_STANDING_HELD, verdict, message: 'fine' };
      },
    },
  });
  return { steps, offered };
}

/** What a store is tried with. */
export interface StoreTrial {
  /** The one of this test, empty at its beginning. */
  bucket(): Bucket;
  /** Called when all is prepared. */
  begin(): void;
  /** What is said of a removal. */
  readonly remark: unknown;
  /** Lists leave out folders that hold nothing but folders. */
  readonly hidesFolders?: boolean;
}

/** Every behaviour, as a test each. */
export function behaviours({ bucket, begin, remark, hidesFolders = false }: StoreTrial): void {
  it('holds up no backup in a new path', async () => {
    begin();
    const files = await bucket().open('c1/new');
    expect(await verifyBackup(files, never)).toEqual({ kind: 'absent' });
    expect(await lockedForMs(files, never)).toBe(0);
  });

  it('shows the lock of a br at work', async () => {
    await bucket().put('c1/p/checkpoints/backup/checkpoint.lock', freshLock());
    await Promise.all(SSTS.map((name) => bucket().put(`c1/p/${name}`, name)));
    begin();
    expect(await lockedForMs(await bucket().open('c1/p'), never)).toBeGreaterThan(50_000);
  });

  it('holds a backup that is found good', async () => {
    await bucket().putBackup('c1/p');
    begin();
    const found = await verifyBackup(await bucket().open('c1/p'), never);
    expect(found).toMatchObject({ kind: 'good', result: { files: BigInt(SSTS.length) } });
  });

  it('is told of a backup that lacks a file', async () => {
    await bucket().putBackup('c1/p');
    await bucket().put('c1/p/0/2.sst', 'short');
    begin();
    const found = await verifyBackup(await bucket().open('c1/p'), never);
    expect(found).toEqual({ kind: 'bad', why: '0/2.sst has 5 bytes instead of 7' });
  });

  it('loses backups that are deleted, and says what is not known', async () => {
    await bucket().putBackup('c1/p');
    await bucket().putBackup('c1/p-r1');
    begin();
    const told = await runRemoval(bucket().storage, [`${ROOT}/c1/p`], bucket().env);
    expect(told).toMatchObject({ $case: 'removed', value: { paths: [`${ROOT}/c1/p`], remark } });
    expect((await bucket().keys()).filter((key) => !key.startsWith('c1/p-r1/'))).toEqual([]);
    expect(await bucket().keys()).toHaveLength(FILE_COUNT);
  });

  it('passes its check, which leaves nothing behind', async () => {
    begin();
    const steps = createCheckSteps();
    await runCheckTask({
      checkId: 'check-1',
      storage: bucket().storage,
      env: bucket().env,
      steps,
      lost: never,
      drain: never,
    });
    expect(steps.kept.filter(({ ok }) => !ok)).toEqual([]);
    expect(await bucket().keys()).toEqual([]);
  });

  it.skipIf(hidesFolders)('has its records rebuilt', async () => {
    const paths = ['c1/a', 'c1/b', 'c2/c', 'c3/d', 'c4/e'];
    for (const path of paths) {
      await bucket().put(`${path}/backupmeta`, 'meta');
      await bucket().put(`${path}/tidemark.json`, path);
    }
    await bucket().put('c5/running/backup.lock', 'DO NOT DELETE');
    begin();
    const { steps, offered } = await rebuild(bucket());
    expect(offered.sort()).toEqual(paths);
    expect(steps.ok).toBe(true);
  });
}
