import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { judgeManifest, keyIdOf } from '@tidemark/backupmeta/signature';
import { BackupMode, BackupOrigin, BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { BackupGrant, Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { BackupFiles } from '@tidemark/storage/backup-files';
import { expect, it } from 'vitest';
import { writeManifest } from './manifest.ts';

const signal = new AbortController().signal;
const grant = BackupGrant.create({
  clusterId: 'c1',
  path: 'nfs/c1/p-r2',
  basePath: 'nfs/c1/p',
  mode: BackupMode.BACKUP_MODE_AUTO,
  origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
  rule: 'nightly',
  createdBy: 'scheduler',
  type: 'full',
  method: 'physical',
  startTime: new Date('2026-01-31T12:00:00Z'),
  requestKey: 'k',
  requestHash: 'h',
  target: Target.create({ pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' }),
  storage: Storage.create({ id: 's1', credentials: { source: { $case: 'envPrefix', value: 'PROD_' } } }),
});
const result = BackupResult.create({ tso: 5n, sizeBytes: 7n, files: 3n, tidbClusterId: 9n, clusterVersion: '8.5.0' });

const good = { result, sealed: { bytes: 3, sha256: 'a'.repeat(64) } };

const written = (backupId: string, key?: KeyObject) => ({ backupId, grant, good, brVersion: 'v8.5.0', key });

const filesWith = (found: string | undefined) => {
  const contents: string[] = [];
  const files = {
    read: async () => (found === undefined ? undefined : Buffer.from(found)),
    write: async (_name: string, content: string) => void contents.push(content),
  } as Partial<BackupFiles> as BackupFiles;
  return { files, contents };
};

it.each([
  [BackupOrigin.BACKUP_ORIGIN_LOG, 'log'],
  [BackupOrigin.BACKUP_ORIGIN_REQUEST, 'request'],
])('tells who started it: origin %i is %s', async (origin, word) => {
  const { files, contents } = filesWith(undefined);
  await writeManifest(files, { ...written('b1'), grant: { ...grant, origin } }, signal);
  expect(JSON.parse(contents[0] ?? '')).toMatchObject({ origin: word });
});

it('tells all that a record is rebuilt from', async () => {
  const { files, contents } = filesWith(undefined);
  await writeManifest(files, written('b1'), signal);
  expect(JSON.parse(contents[0] ?? '')).toMatchObject({
    schemaVersion: 1,
    backupId: 'b1',
    clusterId: 'c1',
    mode: 'auto',
    origin: 'schedule',
    rule: 'nightly',
    createdBy: 'scheduler',
    requestKey: 'k',
    requestHash: 'h',
    storageId: 's1',
    path: 'nfs/c1/p-r2',
    basePath: 'nfs/c1/p',
    target: { pd: ['127.0.0.1:2379'], version: '8.5.0', pool: 'default' },
    startTime: '2026-01-31T12:00:00.000Z',
    tso: '5',
    sizeBytes: 7,
    files: 3,
    tidbClusterId: '9',
    brVersion: 'v8.5.0',
    backupmeta: { bytes: 3, sha256: 'a'.repeat(64) },
  });
  expect(contents[0]).not.toContain('PROD_');
});

it('is written once: one that is there stays as it is', async () => {
  const { files, contents } = filesWith('{}');
  await writeManifest(files, written('b1'), signal);
  expect(contents).toEqual([]);
});

it('says with which key it is signed, also where it was written before, and of no other key', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { files, contents } = filesWith(undefined);
  const keyId = await writeManifest(files, written('b1', privateKey), signal);
  expect(keyId).toBe(keyIdOf(publicKey));
  const before = filesWith(contents[0]).files;
  expect(await writeManifest(before, written('b1', privateKey), signal)).toBe(keyId);
  const other = generateKeyPairSync('ed25519').privateKey;
  expect(await writeManifest(before, written('b1', other), signal)).toBeUndefined();
  expect(await writeManifest(before, written('b1'), signal)).toBeUndefined();
});

it('is signed where the worker has a key, and holds nothing of that key', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { files, contents } = filesWith(undefined);
  await writeManifest(files, written('b1', privateKey), signal);
  const [content = ''] = contents;
  expect(judgeManifest(Buffer.from(content), grant.path, [publicKey])).toEqual({
    signature: 'good',
    keyId: keyIdOf(publicKey),
    sealed: good.sealed,
  });
  const { d = '' } = privateKey.export({ format: 'jwk' });
  expect(content).not.toContain(d);
  expect(JSON.parse(content).signature).toEqual({
    algorithm: 'ed25519',
    keyId: keyIdOf(publicKey),
    value: expect.stringMatching(/^[\w+/]{86}==$/),
  });
});
