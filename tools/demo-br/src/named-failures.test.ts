import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BrError } from './br-error.ts';
import { type FailureName, NAMED_FAILURES, type NamedFailure } from './named-failures.ts';
import { localStorage } from './storage-local.ts';
import { fieldsOf, type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const failWith = (name: FailureName, script: object = {}, outcome: object = {}, path = 'x') => {
  storage.script({ ...script, outcome: { kind: 'fail', name, ...outcome } });
  return storage.backup(path);
};
const names = () => localStorage(storage.path('x')).list();
const ALL: ReadonlyArray<readonly [string, NamedFailure]> = Object.entries(NAMED_FAILURES);

test.each(ALL.filter(([, { code }]) => code !== undefined))('%s has a code with a fixed text', (_, { text, code }) => {
  expect(new BrError(text, code).message).toMatch(/\[BR:[A-Za-z]+:Err[A-Za-z]+\].+$/);
});

// The texts of br-contract 8.2 and 14 that a caller looks for.
test.each([
  ['lock-held', 'The existing lock will expire in 291 seconds'],
  ['context-canceled', 'context canceled'],
  ['grpc-canceled', 'code = Canceled'],
  ['access-denied', 'AccessDenied'],
  ['invalid-access-key-id', 'InvalidAccessKeyId'],
  ['signature-does-not-match', 'SignatureDoesNotMatch'],
  ['no-such-bucket', 'NoSuchBucket'],
  ['permission-denied', 'permission denied'],
  ['region-not-matched', 's3 bucket and region are not matched'],
  ['region-unknown', 'failed to get region of bucket'],
  ['credential-not-found', 'credential info not found'],
  ['wrong-cipher', 'parse backupmeta failed because of wrong aes cipher'],
  ['wrong-key', 'decrypt failed with wrong key'],
  ['resolve-lock-timeout', 'resolve lock timeout'],
  ['connection-refused', 'connection refused'],
  ['connection-reset', 'connection reset by peer'],
  ['timeout', 'timeout'],
  ['unavailable', 'Unavailable'],
  ['deadline-exceeded', 'DeadlineExceeded'],
  ['slow-down', 'SlowDown'],
  ['internal-error', 'InternalError'],
  ['request-timeout', 'RequestTimeout'],
  ['gc-safe-point-panic', 'cannot pass gc safe point check'],
  ['ranges-incomplete', 'backup ranges done but some ranges are in complete'],
  ['pd-unreachable', '[pd] failed to get cluster id'],
  ['pd-not-bootstrapped', 'type:NOT_BOOTSTRAPPED'],
  ['tidb-never-started', "[schema:1146]Table 'mysql.tidb' doesn't exist"],
] as const)('%s says "%s" and has no code', (name, text) => {
  const failure: NamedFailure = NAMED_FAILURES[name];
  expect(failure.text).toContain(text);
  expect(failure.code).toBeUndefined();
});

test('a failure in the middle has the words of the recorded run, and leaves work to resume', async () => {
  const { code, stderr, stdout } = await failWith('tikv-path-not-found').ended;
  expect(code).toBe(1);
  expect(stderr.split('\n').slice(1)).toEqual([
    'Error: error happen in store 1: File or directory not found on TiKV Node (store id: 1). workaround: please ensure br and tikv nodes share a same storage and the user of br and tikv has same uid.: [BR:KV:ErrKVStorage]tikv storage occur I/O error',
    '',
  ]);
  expect(fieldsOf(stdout, 'Full Backup failed summary')).toEqual({
    'total-ranges': '0',
    'ranges-succeed': '0',
    'ranges-failed': '0',
    'backup-total-ranges': '6',
    'backup-total-regions': '6',
  });
  expect((await names()).some((name) => name.endsWith('.cpt'))).toBe(true);
});

test('a failure of PD comes before anything is written', async () => {
  const { code, stderr, stdout } = await failWith('pd-leader-not-found').ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining('[BR:PD:ErrPDLeaderNotFound]PD leader not found')]);
  expect(stdout).toContain('Full Backup failed summary');
  expect(await names()).toEqual([]);
});

test('a failure of the storage comes before backup.lock', async () => {
  expect((await failWith('access-denied').ended).stderr).toContain(
    '\nError: error occurred when checking backupmeta file',
  );
  expect(await names()).toEqual([]);
});

test('a failure at the end comes after the last region, before backupmeta', async () => {
  const { stdout } = await failWith('ranges-incomplete').ended;
  expect(fieldsOf(stdout, 'Full Backup failed summary')['ranges-succeed']).toBe('6');
  expect(await names()).not.toContain('backupmeta');
});

test('a wrong text or exit code of one may be told', async () => {
  const { code, stderr } = await failWith('kv-disk-full', {}, { exitCode: 7 }).ended;
  expect(code).toBe(7);
  expect(stderr).toContain('[BR:KV:ErrKVDiskFull]disk is full');
});

test('the panic over the GC safe point ends with 2, and killed dies of SIGKILL', async () => {
  expect((await failWith('gc-safe-point-panic').ended).code).toBe(2);
  expect((await failWith('killed', {}, {}, 'y').ended).signal).toBe('SIGKILL');
});

test('an unreachable PD takes its time, as much as the script scales it to', async () => {
  const startedAt = performance.now();
  const { stdout, stderr } = await failWith('pd-unreachable', { waitScale: 0.02 }).ended;
  expect(performance.now() - startedAt).toBeGreaterThan(2_000);
  expect(stderr).toContain('\nError: [pd] failed to get cluster id\n');
  expect(stdout.match(/\[WARN\] \[pd_service_discovery/g)).toHaveLength(100);
});

test('a signal while it waits for PD changes nothing about the text', async () => {
  const run = failWith('pd-unreachable', { waitScale: 1 });
  await vi.waitFor(() => expect(run.output.stdout).toContain('[WARN]'), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  const { code, stdout, stderr } = await run.ended;
  expect(code).toBe(1);
  expect(stdout).toContain('Got signal terminated');
  expect(stderr).toContain('\nError: [pd] failed to get cluster id\n');
});
