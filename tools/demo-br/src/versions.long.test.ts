import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { localStorage } from './storage-local.ts';
import { fieldsOf, readLines, type TestStorage, testStorage } from './test-run.ts';

// What the versions do differently, seen from outside (br-contract 1.4).

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const names = () => localStorage(storage.path('x')).list();
const meta = () => BackupMeta.decode(readFileSync(join(storage.path('x'), 'backupmeta')));
const cpt = async () => (await names()).filter((name) => name.endsWith('.cpt'));
const withLogFile = (version: string) =>
  storage.start(['backup', 'full', '-s', storage.path('x'), '--log-file', join(storage.root, 'log')], {
    DEMO_BR_VERSION: version,
  });

/** Runs and stops it once it has flushed something. */
async function interrupted(version: string, more: readonly string[] = []) {
  storage.script({ version, seconds: 20, regions: 200 });
  const run = storage.backup('x', more);
  await vi.waitFor(async () => expect((await cpt()).length).toBeGreaterThan(1), { timeout: 20_000, interval: 20 });
  run.child.kill('SIGTERM');
  const result = await run.ended;
  storage.script({ version, regions: 200 });
  return result;
}

test('v5.4 says Error: on stdout, also for a flag that it does not have', async () => {
  storage.script({ version: 'v5.4.0', outcome: 'fail' });
  const failed = await storage.backup('x').ended;
  expect(failed.stdout).toContain('\nError: demo-br was told to fail\n');
  expect(failed.stderr).not.toContain('Error:');
  const refused = await storage.backup('y', ['--use-checkpoint=false']).ended;
  expect([refused.code, refused.stdout.split('\n')[0]]).toEqual([1, 'Error: unknown flag: --use-checkpoint']);
});

test('v5.4 has no checkpoint: what it left makes the path unusable', async () => {
  storage.script({ version: 'v5.4.0', outcome: 'fail' });
  await storage.backup('x').ended;
  expect((await names()).filter((name) => name.includes('checkpoint'))).toEqual([]);
  expect((await storage.backup('x').ended).stdout).toContain('Error: backup lock file and sst file exist');
});

test.each([
  ['v5.4.0', 0, '"5.4.0"\n'],
  ['v6.5.8', 0, '"6.5.8"\n'],
  ['v7.5.0', 1, '"7.5.0"\n'],
  ['v8.1.0', 1, '"8.1.0"\n'],
  ['v8.5.0', 1, '8.5.0'],
])('backupmeta of %s has the form %i and the cluster version %j', async (version, form, clusterVersion) => {
  storage.script({ version });
  expect((await storage.backup('x').ended).code).toBe(0);
  const { files, schemas, fileIndex, backupSize, ...rest } = meta();
  expect(rest).toMatchObject({ version: form, clusterVersion });
  expect(files.length > 0).toBe(form === 0);
  expect(schemas.length > 0).toBe(form === 0);
  expect(fileIndex === undefined).toBe(form === 0);
  expect(backupSize > 0n).toBe(form === 1);
  expect((await names()).some((name) => name.startsWith('backupmeta.'))).toBe(form === 1);
});

test('--use-backupmeta-v2 changes the form, and in v6.5 switches the checkpoint off', async () => {
  storage.script({ version: 'v6.5.8', outcome: 'fail' });
  await storage.backup('x', ['--use-backupmeta-v2']).ended;
  expect((await names()).filter((name) => name.includes('checkpoint'))).toEqual([]);
  storage.script({ version: 'v8.5.0' });
  await storage.backup('y', ['--use-backupmeta-v2=false']).ended;
  expect(BackupMeta.decode(readFileSync(join(storage.path('y'), 'backupmeta'))).version).toBe(0);
});

test('v6.5 has checkpoint.meta at the root, keeps it after a success and resumes from it', async () => {
  await interrupted('v6.5.8');
  expect(await names()).toContain('checkpoint.meta');
  for (const name of await cpt()) expect(name).toMatch(/^checkpoints\/data\/[^/]+\.cpt$/);
  const { code, stdout } = await storage.backup('x').ended;
  expect(code).toBe(0);
  expect(stdout).toContain('reuse checkpoint BackupTS');
  expect(await names()).toContain('checkpoint.meta');
  expect((await cpt()).length).toBeGreaterThan(0);
  expect(await names()).not.toContain('checkpoints/checkpoint.lock');
});

test.each([
  ['v6.5.8', false],
  ['v7.1.0', true],
])('%s may resume with another rate limit: %s', async (version, may) => {
  await interrupted(version);
  const { code, stderr } = await storage.backup('x', ['--ratelimit=5']).ended;
  expect(code).toBe(may ? 0 : 1);
  expect(stderr.includes('hashs of the configs')).toBe(!may);
});

test.each([
  ['v5.4.0', 'Got signal [terminated] to exit.', 'shuting'],
  ['v7.5.0', 'Got signal [terminated] to exit.', 'shuting'],
  ['v8.1.0', '========[ Got signal terminated to exit. ]========', 'shutting'],
])('%s answers a signal with "%s" after an empty line', async (version, banner, spelling) => {
  storage.script({ version, seconds: 20 });
  const run = storage.backup('x');
  await vi.waitFor(() => expect(run.output.stdout).toContain('Backup Ranges Started'), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  const { code, stdout, stderr } = await run.ended;
  expect(code).toBe(1);
  expect(stdout).toContain(`\n\n${banner}\n`);
  expect(stdout.includes('Required Goroutine Dump')).toBe(banner.startsWith('='));
  expect(stderr).toContain(`\ngracefully ${spelling} down, press ^C again to force exit\n`);
});

test.each([
  ['v8.5.4', false],
  ['v8.5.5', true],
])('after a failure of %s the lock is still there: %s', async (version, stays) => {
  storage.script({ version, outcome: { kind: 'fail' } });
  await storage.backup('x').ended;
  expect((await names()).includes('checkpoints/backup/checkpoint.lock')).toBe(stays);
  storage.script({ version });
  const { code, stderr } = await storage.backup('x').ended;
  expect(code).toBe(stays ? 1 : 0);
  expect(stderr.includes('The existing lock will expire in')).toBe(stays);
});

test('a success of v8.5.5 removes its lock', async () => {
  storage.script({ version: 'v8.5.5' });
  expect((await storage.backup('x').ended).code).toBe(0);
  expect((await names()).filter((name) => name.startsWith('checkpoints'))).toEqual([]);
});

test.each(['v5.4.0', 'v6.5.0', 'v7.5.0', 'v8.1.0'])('with a log file %s draws a bar on stderr', async (version) => {
  const { code, stderr } = await withLogFile(version).ended;
  expect(code).toBe(0);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the bar has colours.
  const plain = stderr.replace(/\u001b\[[0-9;]*m/g, '');
  expect(plain).toMatch(/ \nFull Backup <-*\.*> \d+\.\d\d%/);
  expect(plain).toMatch(/Full Backup <-+> 100\.00%Checksum <-+> 100\.00%$/);
  expect(plain).not.toContain('\r');
  expect(readFileSync(join(storage.root, 'log'), 'utf8')).not.toContain('[progress]');
});

test('with a log file v8.5 writes progress lines to it', async () => {
  const { stderr } = await withLogFile('v8.5.0').ended;
  expect(stderr).not.toContain('%');
  expect(readFileSync(join(storage.root, 'log'), 'utf8')).toContain('[progress] [step="Full Backup"]');
});

test('with BR_LOG_TO_TERM even v5.4 prints progress as lines', async () => {
  storage.script({ version: 'v5.4.0' });
  const { stdout, stderr } = await storage.backup('x').ended;
  expect(fieldsOf(stdout, 'progress').step).toBe('Full Backup');
  expect(stderr).not.toContain('%');
});

test.each([
  ['v8.1.0', true],
  ['v8.5.0', false],
])('without --checksum %s compares sums: %s', async (version, compares) => {
  const { stdout } = await storage.start(['backup', 'full', '-s', storage.path('x')], {
    BR_LOG_TO_TERM: '1',
    DEMO_BR_VERSION: version,
  }).ended;
  const summary = fieldsOf(stdout, 'Full Backup success summary');
  expect('backup-fast-checksum' in summary).toBe(compares);
  const step = readLines(stdout).findLast(({ message }) => message === 'progress');
  expect(step?.fields).toMatchObject({ step: 'Checksum', count: compares ? '6 / 6' : '1 / 1' });
});

test('v8.5.6 has nothing to count without checksum, and counts files by column family', async () => {
  storage.script({ version: 'v8.5.6' });
  const { stdout } = await storage.backup('x').ended;
  const step = readLines(stdout).findLast(({ message }) => message === 'progress');
  expect(step?.fields).toMatchObject({ step: 'Checksum', progress: '?%', count: '0' });
  expect(fieldsOf(stdout, 'Full Backup success summary')).toMatchObject({
    'write-CF-files': '6',
    'default-CF-files': '2',
  });
});

test.each([
  ['v8.5.0', true],
  ['v8.5.6', false],
])('a mismatch of sums in %s leaves a path that looks finished: %s', async (version, looksFinished) => {
  storage.script({ version, outcome: 'checksum-mismatch' });
  const { code, stdout, stderr } = await storage.backup('x', ['--checksum=true']).ended;
  expect(code).toBe(1);
  expect(stderr).toContain('\nError: [BR:Backup:ErrBackupChecksumMismatch]backup checksum mismatch\n');
  expect((await names()).includes('backupmeta')).toBe(looksFinished);
  expect((await cpt()).length > 0).toBe(!looksFinished);
  expect(fieldsOf(stdout, 'Full Backup failed summary')['ranges-succeed']).toBe('6');
});

test('v6.5 names an empty result, misspelt', async () => {
  storage.script({ version: 'v6.5.0' });
  const { stdout } = await storage.backup('x', ['-f', 'nosuch.*']).ended;
  expect(fieldsOf(stdout, 'Full Backup success summary').Result).toBe('Nothing to bakcup');
});

test.each([
  ['v5.4.0', 'v6.5.0', false],
  ['v6.5.0', 'v5.4.0', true],
  ['v6.5.0', 'v7.5.0', false],
  ['v8.1.0', 'v7.1.0', true],
  ['v8.1.0', 'v6.5.0', false],
  ['v8.5.0', 'v8.2.0', true],
  // From 8.2 on no older TiKV is taken.
  ['v8.5.0', 'v8.1.0', false],
  ['v8.5.6', 'v7.1.0', false],
  ['v7.5.0', 'v7.9.0', true],
])('BR %s runs against a cluster of %s: %s', async (version, clusterVersion, runs) => {
  storage.script({ version, clusterVersion });
  const { code, stderr } = await storage.backup('x').ended;
  expect(code).toBe(runs ? 0 : 1);
  if (!runs && version !== 'v5.4.0') {
    expect(stderr).toMatch(
      /\nError: running BR in incompatible version of cluster, .*\[BR:Common:ErrVersionMismatch\]/,
    );
  }
});

test('--check-requirements=false lets any versions meet, and TiKV before v6.5 works without a checkpoint', async () => {
  storage.script({ version: 'v8.5.0', clusterVersion: 'v6.1.0' });
  const { code, stdout } = await storage.backup('x', ['--check-requirements=false']).ended;
  expect(code).toBe(0);
  expect(readLines(stdout).filter(({ level }) => level === 'WARN')).toHaveLength(1);
  expect(stdout).not.toContain('checkpoint data');
});

test('a rate limit makes requests go one by one, and 256 at once is the most', async () => {
  const concurrency = async (more: readonly string[], version = 'v8.5.0') => {
    storage.script({ version });
    const { stdout } = await storage.backup(`${version}${more}`, more).ended;
    return fieldsOf(stdout, 'starting backup to the corresponding store').concurrency;
  };
  expect(await concurrency([])).toBe('4');
  expect(await concurrency(['--concurrency=300'])).toBe('256');
  expect(await concurrency(['--concurrency=300'], 'v6.5.0')).toBe('300');
  expect(await concurrency(['--concurrency=9', '--ratelimit=5'])).toBe('1');
});
