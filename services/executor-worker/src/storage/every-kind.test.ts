/** What a worker does with a path and with the marker, in all kinds of storages, each against a real server. */
import {
  CreateBucketCommand,
  DeleteBucketPolicyCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { backupFilesIn } from '@tidemark/storage/backup-files';
import { openStorage } from '@tidemark/storage/open-storage';
import type { StorageFiles } from '@tidemark/storage/storage-files';
import { createKinds, fill as fillWith } from '@tidemark/storage/testing/kinds';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lockedForMs } from '../br/checkpoint-lock.ts';
import { removePath } from '../remove-task.ts';
import { runRemoval } from '../testing/run-removal.ts';
import { openKnownStorage, settleMarker } from './marker.ts';

const INSTALL_MS = 600_000;
const signal = AbortSignal.timeout(INSTALL_MS);
const kinds = createKinds({ signal, say: console.error });
const { local, s3, azure, gcs } = kinds;
afterAll(() => kinds[Symbol.asyncDispose]());

const fill = (files: StorageFiles, names: readonly string[]) => fillWith(files, names, signal);
const namesIn = async (files: StorageFiles, folder: string) =>
  (await Array.fromAsync(files.list(folder, signal))).map(({ name }) => name).sort();

describe.each([
  ['a folder', local],
  ['S3', s3],
  ['Azure', azure],
  ['Google Cloud Storage', gcs],
])('the files of %s', (_, kind) => {
  let files: StorageFiles;
  beforeAll(async () => {
    await kind.start();
    files = await openStorage(kind.storage(), kind.env);
  }, INSTALL_MS);

  it('are marked, and used on where the marker was cleaned away, unless that is a folder', async () => {
    const number = 'a'.repeat(32);
    const known = { storage: kind.storage(), root: 'mk', marker: { number: '', adopt: false } };
    const standing = TaskStanding.TASK_STANDING_HELD;
    const report = async (told: string) => ({ standing, number: told, candidate: number, backups: [] });
    expect(await settleMarker({ ...known, files, report, signal })).toBe(
      'The storage is known by mk/.tidemark/s.json.',
    );
    const open = (wanted: string) =>
      openKnownStorage({ ...known, marker: { number: wanted, adopt: false } }, kind.env, { signal });
    await open(number);
    await expect(open('b'.repeat(32))).rejects.toThrow('Another storage is mounted here than s');
    await files.remove(['mk/.tidemark/s.json'], signal);
    if (kind === local) await expect(open(number)).rejects.toThrow('Storage s is not mounted here');
    else {
      const marker = { number, adopt: false };
      expect(await settleMarker({ ...known, marker, files: await open(number), report, signal })).toContain(
        'is known by',
      );
      expect(await namesIn(files, 'mk')).toEqual(['.tidemark/s.json']);
    }
    await files.remove(['mk/.tidemark/s.json'], signal);
  });

  it('go with their path, and say how much there was; their neighbours stay', async () => {
    const neighbours = ['go/p-r1/backupmeta', 'go/p1/a.sst', 'go/q/backupmeta'];
    await fill(files, ['go/p/backupmeta', 'go/p/backup.lock', 'go/p/1/a.sst', ...neighbours]);
    const removed = await removePath(await backupFilesIn(files, 'go/p'), 'go/p', signal);
    expect(removed).toMatchObject({
      kind: 'removed',
      bytes: BigInt('go/p/backupmetago/p/backup.lockgo/p/1/a.sst'.length),
      remark: '',
    });
    const none = await removePath(await backupFilesIn(files, 'go/none'), 'go/none', signal);
    expect(none).toMatchObject({ kind: 'removed', bytes: 0n, remark: '' });
    expect(await namesIn(files, 'go')).toEqual(neighbours.map((name) => name.slice('go/'.length)));
  });

  it('tell of a lock that BR left, also below a folder without a name', async () => {
    const lock = JSON.stringify({ 'lock-id': 1, 'expire-at': Date.now() + 100_000 });
    for (const name of ['lock/p/checkpoints/backup/checkpoint.lock', 'lock/q//checkpoints/checkpoint.lock']) {
      await files.write(name, lock, signal);
      const path = name.slice(0, 'lock/p'.length);
      const view = await backupFilesIn(files, path);
      expect(await lockedForMs(view, signal)).toBeGreaterThan(50_000);
      await removePath(view, path, signal);
      expect(await lockedForMs(view, signal)).toBe(0);
      expect(await namesIn(files, path)).toEqual([]);
    }
  });
});

describe('a path in a bucket of S3', () => {
  const open = async (bucket: string) => openStorage(s3.storage({ bucket, prefix: '' }), s3.env);

  it('is found gone where old versions are kept, which is said', async () => {
    const Bucket = 'versioned';
    await s3.client.send(new CreateBucketCommand({ Bucket }));
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await s3.client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    await fill(await open(Bucket), ['c1/p/backupmeta', 'c1/p/a.sst']);
    expect(await runRemoval(s3.storage({ bucket: Bucket, prefix: '' }), ['c1/p', 'c1/q'], s3.env)).toMatchObject({
      $case: 'removed',
      value: {
        paths: ['c1/p', 'c1/q'],
        bytes: 0n,
        remark: expect.stringMatching(/^The bucket versioned keeps old versions/),
      },
    });
    const { Versions } = await s3.client.send(new ListObjectVersionsCommand({ Bucket }));
    expect(Versions).toHaveLength(2);
  });

  it('says how much was freed where nothing is kept', async () => {
    await fill(await open('backups'), ['freed/p/a']);
    expect(await runRemoval(s3.storage({ prefix: '' }), ['freed/p'], s3.env)).toMatchObject({
      $case: 'removed',
      value: { paths: ['freed/p'], bytes: 9n, remark: '' },
    });
  });

  it('is not gone before every file of it may be deleted', async () => {
    const Bucket = 'guarded';
    await s3.client.send(new CreateBucketCommand({ Bucket }));
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::guarded/c1/p/1/*' },
      ],
    });
    const files = await open(Bucket);
    await fill(files, ['c1/p/backupmeta', 'c1/p/backup.lock', 'c1/p/1/a.sst', 'c1/p/2/b.sst']);
    await s3.client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    const path = await backupFilesIn(files, 'c1/p');
    expect(await removePath(path, 'c1/p', signal)).toEqual({
      kind: 'failed',
      reason: {
        code: 'FILES_LEFT',
        message: expect.stringMatching(/^2 of 4 files of c1\/p could not be removed, among them 1\/a\.sst/),
        detail: '1/a.sst: AccessDenied: Access Denied',
      },
    });
    expect(await namesIn(files, 'c1/p')).toEqual(['1/a.sst', 'backup.lock']);
    await s3.client.send(new DeleteBucketPolicyCommand({ Bucket }));
    expect(await removePath(path, 'c1/p', signal)).toMatchObject({ kind: 'removed' });
    expect(await namesIn(files, 'c1/p')).toEqual([]);
  });
});
