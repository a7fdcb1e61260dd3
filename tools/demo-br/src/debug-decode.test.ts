import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fieldsOf, type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const decode = (name: string, ...more: string[]) =>
  storage.start(['debug', 'decode', '--storage', `local://${storage.path(name)}`, ...more]).ended;

test.each([
  ['debug', 'end-version'],
  ['validate', 'EndVersion'],
])('br %s decode --field %s prints the TSO of the backup, and where its log is', async (command, field) => {
  const made = await storage.backup('x').ended;
  const { BackupTS } = fieldsOf(made.stdout, 'Full Backup success summary');
  const argv = [command, 'decode', '--field', field, '-s', storage.path('x')];
  const { code, stdout, stderr } = await storage.start(argv).ended;
  expect([code, stdout]).toEqual([0, `${BackupTS}\n`]);
  expect(stderr).toMatch(/\nDetail BR log in \S+ \n$/);
});

test('an encrypted one needs the key', async () => {
  const crypter = ['--crypter.method=aes128-ctr', `--crypter.key=${'0f'.repeat(16)}`];
  await storage.backup('x', crypter).ended;
  expect((await decode('x', '--field=start-version', ...crypter)).stdout).toBe('0\n');
});

test('a field that is unknown is no failure', async () => {
  await storage.backup('x').ended;
  expect(await decode('x', '--field', 'constructor')).toMatchObject({
    code: 0,
    stdout: "field 'constructor' not found\n",
  });
});

test('without a field it writes all of it into the backup', async () => {
  await storage.backup('x').ended;
  const { code, stdout } = await decode('x');
  expect([code, stdout]).toEqual([0, `backupmeta decoded at file://${storage.path('x')}/jsons/backupmeta.json\n`]);
  const json = JSON.parse(readFileSync(join(storage.path('x'), 'jsons/backupmeta.json'), 'utf8'));
  expect(json).toMatchObject({ clusterVersion: '8.5.0', endVersion: expect.stringMatching(/^\d{18}$/) });
});

test('what cannot be parsed is called a wrong cipher', async () => {
  await storage.backup('x').ended;
  truncateSync(join(storage.path('x'), 'backupmeta'), 100);
  const { code, stdout, stderr } = await decode('x', '--field=end-version');
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/ \nError: parse backupmeta failed because of wrong aes cipher: unexpected EOF\n$/);
});

test('one of no bytes, and the storage that is none, have the TSO 0', async () => {
  mkdirSync(storage.path('x'));
  writeFileSync(join(storage.path('x'), 'backupmeta'), '');
  expect((await decode('x', '--field=end-version')).stdout).toBe('0\n');
  expect((await storage.start(['debug', 'decode', '-s', 'noop://x', '--field=end-version']).ended).stdout).toBe('0\n');
});

test('a folder that is not there is made, open to all, and then has no backupmeta', async () => {
  const { code, stderr } = await decode('new', '--field=end-version');
  expect([code, stderr]).toEqual([1, expect.stringContaining('Error: load backupmeta failed: ')]);
  expect(statSync(storage.path('new')).mode & 0o777).toBe(0o777);
});
