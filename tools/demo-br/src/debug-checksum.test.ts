import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localStorage } from './storage-local.ts';
import { type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const CRYPTER = ['--crypter.method=aes256-ctr', `--crypter.key=${'3c'.repeat(32)}`];
const check = (...more: string[]) =>
  storage.start(['debug', 'checksum', '-s', `local://${storage.path('x')}`, ...more]).ended;
const firstSst = async () => {
  const names = await localStorage(storage.path('x')).list();
  return join(storage.path('x'), names.find((name) => name.endsWith('.sst')) ?? '');
};

test.each([
  ['v7.1.0', []],
  ['v8.5.0', []],
  ['v8.5.0', CRYPTER],
])('a sound backup of %s with %j passes', async (version, more) => {
  storage.script({ version });
  await storage.backup('x', more).ended;
  expect(await check(...more)).toMatchObject({ code: 0, stdout: 'backup data checksum succeed!\n' });
});

test('a backup without files passes too', async () => {
  await storage.backup('x', ['-f', 'nosuch.*']).ended;
  expect((await check()).code).toBe(0);
});

test('a changed file is named on several lines, the first of them empty', async () => {
  await storage.backup('x').ended;
  const file = await firstSst();
  const body = readFileSync(file);
  body.writeUInt8(body.readUInt8(0) ^ 1, 0);
  writeFileSync(file, body);
  const { code, stdout, stderr } = await check();
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(
    /\nError: \nbackup data checksum failed: \S+ may be changed\ncalculated sha256 is \w{64},\norigin sha256 is \w{64}: \[BR:Backup:ErrBackupChecksumMismatch\]backup checksum mismatch\n$/,
  );
});

test('a missing file is a failure without a code', async () => {
  await storage.backup('x').ended;
  rmSync(await firstSst());
  const { code, stderr } = await check();
  expect([code, stderr]).toEqual([1, expect.stringMatching(/\nError: open .*: no such file or directory\n$/)]);
  expect(stderr).not.toContain('[BR:');
});
