import { BackupMeta, MetaFile } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clusterDigests } from './cluster-digests.ts';
import { fieldsOf, QUICK, readLines, SOURCE_PD, TARGET_PD, type TestStorage, testStorage } from './test-run.ts';
import { type S3, startS3 } from './testing/s3.ts';

let storage: TestStorage;
let s3: S3;
beforeEach(async () => {
  storage = testStorage();
  s3 = await startS3();
});
afterEach(async () => {
  await storage[Symbol.asyncDispose]();
  await s3[Symbol.asyncDispose]();
});

/** Steering that has no folder to lie in: by the environment. */
const envOf = (script: object): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries({ ...QUICK, ...script }).map(([name, value]) => [
      `DEMO_BR_${name.replace(/[A-Z]/g, '_$&').toUpperCase()}`,
      typeof value === 'object' ? JSON.stringify(value) : String(value),
    ]),
  );
const credentials = (script: object): NodeJS.ProcessEnv => ({
  BR_LOG_TO_TERM: '1',
  AWS_ACCESS_KEY_ID: 'ENVKEY',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_EC2_METADATA_DISABLED: 'true',
  ...envOf(script),
});
const backup = (script: object = {}, more: readonly string[] = ['--s3.provider=minio'], url = 's3://bucket/a/b') =>
  storage.start(['backup', 'full', '-s', url, `--s3.endpoint=${s3.endpoint}`, ...more], credentials(script));
const keys = () => [...s3.objects.keys()].toSorted();
const SLOW = { seconds: 20, regions: 200 };
const underWay = () =>
  vi.waitFor(() => expect(keys().filter((key) => key.endsWith('.cpt')).length).toBeGreaterThan(1), { timeout: 20_000 });

test('a backup in a bucket has its files below the prefix, and its summary is that of a folder', async () => {
  const { code, stdout } = await backup().ended;
  expect(code).toBe(0);
  const meta = BackupMeta.decode(s3.objects.get('a/b/backupmeta') ?? Buffer.of());
  expect(fieldsOf(stdout, 'Full Backup success summary').BackupTS).toBe(String(meta.endVersion));
  const { dataFiles } = MetaFile.decode(s3.objects.get('a/b/backupmeta.datafile.000000001') ?? Buffer.of());
  for (const { name } of dataFiles) expect(name).toMatch(/^\d+\/\d+_\d+_[0-9a-f]{64}_\d{13}_(default|write)\.sst$/);
  const files = ['backup.lock', 'backupmeta', 'backupmeta.datafile.000000001', 'backupmeta.schema.000000002'];
  expect(keys()).toEqual([...files, ...dataFiles.map(({ name }) => name)].map((name) => `a/b/${name}`).toSorted());
  expect(new Set(s3.requests.map(({ accessKey }) => accessKey))).toEqual(new Set(['ENVKEY']));
});

test('a log in a bucket is restored to a point from there', async () => {
  const source = storage.cluster(SOURCE_PD);
  const options = [`--s3.endpoint=${s3.endpoint}`, '--s3.provider=minio'];
  const br = (...argv: string[]) => storage.start([...argv, ...options], credentials({})).ended;
  const log = ['--storage', 's3://bucket/log'];
  await source.touch();
  await source.changeState(() => ({ writes: { db: 'shop', table: 'ticks', everyMs: 10, since: Date.now() } }));
  await storage.cluster(TARGET_PD).createDatabase('test');
  expect((await br('log', 'start', '--task-name', 'pitr', '--pd', SOURCE_PD, ...log)).code).toBe(0);
  expect((await backup({}, ['--s3.provider=minio', '--pd', SOURCE_PD]).ended).code).toBe(0);
  expect((await br('log', 'status', '--pd', SOURCE_PD)).code).toBe(0);
  const end = BigInt((await source.readState()).logTask?.checkpoint ?? 0);
  const base = ['--full-backup-storage', 's3://bucket/a/b'];
  expect((await br('restore', 'point', '--pd', TARGET_PD, ...base, ...log)).code).toBe(0);
  expect(await clusterDigests(storage.cluster(TARGET_PD))).toEqual(await clusterDigests(source, end));
});

test('a restore from a bucket brings back byte for byte what was backed up', async () => {
  await storage.cluster(SOURCE_PD).touch();
  await storage.cluster(TARGET_PD).createDatabase('test');
  expect((await backup({}, ['--s3.provider=minio', '--pd', SOURCE_PD]).ended).code).toBe(0);
  const argv = ['restore', 'full', '-s', 's3://bucket/a/b', `--s3.endpoint=${s3.endpoint}`, '--pd', TARGET_PD];
  const { code } = await storage.start([...argv, '--s3.provider=minio'], credentials({})).ended;
  expect(code).toBe(0);
  expect(storage.contentOf(TARGET_PD)).toEqual(storage.contentOf(SOURCE_PD));
});

test('a finished path is refused, in a message with two slashes', async () => {
  await backup().ended;
  expect((await backup().ended).stderr).toContain('\nError: backup meta file exists in s3://bucket/a/b//backupmeta, ');
});

test.each([
  ['v7.5.0', 'a/b//checkpoints/backup/'],
  ['v8.1.0', 'a/b//checkpoints/backup/'],
  ['v8.5.0', 'a/b/checkpoints/backup/'],
])('a signal leaves the checkpoint and its lock of %s in %s', async (version, folder) => {
  const run = backup({ ...SLOW, version, lockTtlSeconds: 60 });
  await underWay();
  run.child.kill('SIGTERM');
  expect((await run.ended).stderr).toContain('Error: context canceled');
  const left = keys().filter((key) => key.includes('checkpoint'));
  expect(left.filter((key) => !key.startsWith(folder))).toEqual([]);
  expect(left).toContain(`${folder}checkpoint.lock`);
  const held = await backup({ regions: 200, version }).ended;
  expect(held.stderr).toMatch(
    /delete the file `s3:\/\/bucket\/a\/b\/\/?checkpoints\/backup\/checkpoint\.lock` manually/,
  );
  s3.objects.delete(`${folder}checkpoint.lock`);
  const resumed = await backup({ regions: 200, version }).ended;
  expect(resumed.code).toBe(0);
  expect(resumed.stdout).toContain('reuse checkpoint BackupTS');
  expect(keys().filter((key) => key.includes('checkpoint'))).toEqual([]);
});

test('v6.5 has checkpoint.meta right below the prefix and the rest below two slashes', async () => {
  await backup({ version: 'v6.5.8', flushSeconds: 0 }).ended;
  const left = keys().filter((key) => key.includes('checkpoint'));
  expect(left).toContain('a/b/checkpoint.meta');
  expect(left.filter((key) => key !== 'a/b/checkpoint.meta' && !key.startsWith('a/b//checkpoints/data/'))).toEqual([]);
});

test('keys in the URL come before those of the environment, and the query before flags', async () => {
  const url = `s3://bucket/p?ACCESS_KEY=URLKEY&secret-access-key=a+b&endpoint=${s3.endpoint}`;
  const { code, stdout } = await backup({}, ['--s3.endpoint=http://127.0.0.1:9', '--s3.provider=minio'], url).ended;
  expect(code).toBe(0);
  expect(new Set(s3.requests.map(({ accessKey }) => accessKey))).toEqual(new Set(['URLKEY']));
  expect(stdout).not.toContain('URLKEY');
});

test.each([['access-key=x'], ['secret-access-key=x'], ['endpoint=127.0.0.1:9'], ['force-path-style=maybe']])(
  'a query %s is refused',
  async (query) => {
    const { code, stderr } = await backup({}, [], `s3://bucket/p?${query}`).ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining('[BR:ExternalStorage:ErrStorageInvalidConfig]')]);
  },
);

test('without a provider it asks where the bucket is, and a wrong region is refused', async () => {
  const { stderr } = await backup({}, ['--s3.region=eu-west-1']).ended;
  expect(stderr).toContain(
    '\nError: s3 bucket and region are not matched, bucket=bucket, input region=eu-west-1, real region=us-east-1\n',
  );
  expect(s3.requests.map(({ line }) => line)).toEqual(['HEAD /bucket/']);
  expect((await backup({}, []).ended).code).toBe(0);
});

test('when it may not ask where the bucket is, it fails without a code; with a provider it does not ask', async () => {
  s3.faults.set('HEAD', { status: 403, code: 'Forbidden' });
  const { code, stderr } = await backup({}, []).ended;
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('\nError: failed to get region of bucket bucket: Forbidden'),
  ]);
  const other = await backup().ended;
  expect(other.stderr).toContain(
    '\nError: error occurred when checking backupmeta file: Forbidden: Forbidden\n\tstatus code: 403',
  );
});

test('v5.4 takes us-east-1 without asking', async () => {
  expect((await backup({ version: 'v5.4.0' }, []).ended).code).toBe(0);
  expect(s3.requests.map(({ line }) => line)).not.toContain('HEAD /bucket/');
});

test('a refused connection is told as in the recorded run', async () => {
  const flags = ['--s3.endpoint=http://127.0.0.1:9', '--s3.provider=minio', '--s3.region=us-east-1'];
  const { code, stdout, stderr } = await backup({}, flags, 's3://bucket/prefix').ended;
  expect(code).toBe(1);
  expect(stderr.split('\n').slice(1)).toEqual([
    'Error: error occurred when checking backupmeta file: RequestError: send request failed',
    'caused by: Head "http://127.0.0.1:9/bucket/prefix/backupmeta": dial tcp 127.0.0.1:9: connect: connection refused',
    '',
  ]);
  expect(readLines(stdout).map(({ message }) => message)).toContain('Full Backup failed summary');
});

test('a refusal to write is told with its code', async () => {
  s3.faults.set('PUT', { status: 403, code: 'AccessDenied' });
  expect((await backup().ended).stderr).toContain('\nError: AccessDenied: told to\n\tstatus code: 403, request id: ');
});

test('noop:// writes nothing and has no checkpoint', async () => {
  const { code, stdout } = await backup({ outcome: 'fail' }, [], 'noop://x').ended;
  expect(code).toBe(1);
  expect(stdout).not.toContain('checkpoint');
  expect((await backup({}, [], 'noop://x').ended).code).toBe(0);
});

test('a store that takes the connection and stays silent keeps it waiting, until a signal', async () => {
  s3.faults.set('HEAD', 'silence');
  const run = backup();
  await vi.waitFor(() => expect(s3.requests).toHaveLength(1), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  expect(await run.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('\nError: context canceled\n') });
});
