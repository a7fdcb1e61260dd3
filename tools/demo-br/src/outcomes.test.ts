import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupMeta, MetaFile } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Outcome } from './outcome.ts';
import { localStorage } from './storage-local.ts';
import { fieldsOf, type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const names = () => localStorage(storage.path('x')).list();
const told = (outcome: Partial<Outcome>, more: object = {}) =>
  storage.script({ ...more, outcome, ledger: 'ledger.jsonl' });
const lastExit = () =>
  JSON.parse(readFileSync(join(storage.root, 'ledger.jsonl'), 'utf8').trimEnd().split('\n').at(-1) ?? '{}').exit;

test('fail: message, code and exit code are those of the script, and the lock is gone', async () => {
  told({ kind: 'fail', message: 'error happen in store 1', code: 'BR:KV:ErrKVStorage', exitCode: 3, at: 0.5 });
  const { code, stdout, stderr } = await storage.backup('x').ended;
  expect(code).toBe(3);
  expect(stderr).toContain('\nError: error happen in store 1: [BR:KV:ErrKVStorage]tikv storage occur I/O error\n');
  expect(fieldsOf(stdout, 'progress').count).toBe('3 / 6');
  expect((await names()).filter((name) => name.endsWith('.cpt'))).toHaveLength(3);
  expect(await names()).not.toContain('checkpoints/backup/checkpoint.lock');
  expect(lastExit()).toBe(3);
});

test('fail, once: the next run resumes and succeeds', async () => {
  told({ kind: 'fail', times: 1 });
  expect((await storage.backup('x').ended).code).toBe(1);
  const second = await storage.backup('x').ended;
  expect(second.code).toBe(0);
  expect(second.stdout).toContain('reuse checkpoint BackupTS');
});

test('panic: exit 2 with the panic on stderr, and the lock stays', async () => {
  told({ kind: 'panic', message: 'cannot pass gc safe point check, aborting' });
  const { code, stderr, stdout } = await storage.backup('x').ended;
  expect(code).toBe(2);
  expect(stderr).toContain('\npanic: cannot pass gc safe point check, aborting\n');
  expect(stdout).not.toContain('summary');
  expect(await names()).toContain('checkpoints/backup/checkpoint.lock');
});

test('crash: it dies of SIGKILL, and the lock stays', async () => {
  told({ kind: 'crash' });
  expect((await storage.backup('x').ended).signal).toBe('SIGKILL');
  expect(await names()).toContain('checkpoints/backup/checkpoint.lock');
  expect(lastExit()).toBe('SIGKILL');
});

test('hang: no more progress, but a signal ends it', async () => {
  told({ kind: 'hang', at: 0.5 }, { progressIntervalSeconds: 0.05 });
  const run = storage.backup('x');
  const stuck = /"3 \/ 6".*\n(?:.*"3 \/ 6".*\n){3}/;
  await vi.waitFor(() => expect(run.output.stdout).toMatch(stuck), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  expect((await run.ended).stderr).toContain('Error: context canceled');
});

test('ignore-term: signals do nothing', async () => {
  told({ kind: 'ignore-term' }, { seconds: 1 });
  const run = storage.backup('x');
  await vi.waitFor(() => expect(run.output.stdout).toContain('Backup Ranges Started'), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  run.child.kill('SIGTERM');
  run.child.kill('SIGINT');
  const { code, stdout } = await run.ended;
  expect(code).toBe(0);
  expect(stdout).not.toContain('Got signal');
});

test('exit-0-without-meta: the summary says success, but there is no backupmeta', async () => {
  told({ kind: 'exit-0-without-meta' });
  const { code, stdout } = await storage.backup('x').ended;
  expect(code).toBe(0);
  expect(stdout).toContain('Full Backup success summary');
  expect(await names()).not.toContain('backupmeta');
});

test('truncated-meta: exit 0 with a backupmeta that cannot be read', async () => {
  told({ kind: 'truncated-meta' });
  expect((await storage.backup('x').ended).code).toBe(0);
  const body = readFileSync(join(storage.path('x'), 'backupmeta'));
  expect(() => BackupMeta.decode(body)).toThrow();
});

test('missing-sst: exit 0 with a backupmeta that names a file which is not there', async () => {
  told({ kind: 'missing-sst' });
  expect((await storage.backup('x').ended).code).toBe(0);
  const { dataFiles } = MetaFile.decode(readFileSync(join(storage.path('x'), 'backupmeta.datafile.000000001')));
  expect(dataFiles.filter(({ name }) => !existsSync(join(storage.path('x'), name)))).toHaveLength(1);
});

test('checksum-mismatch: exit 1 in a path that looks finished', async () => {
  told({ kind: 'checksum-mismatch' });
  const { code, stderr } = await storage.backup('x', ['--checksum=true']).ended;
  expect(code).toBe(1);
  expect(stderr).toContain('\nError: [BR:Backup:ErrBackupChecksumMismatch]backup checksum mismatch\n');
  const left = await names();
  expect(left).toContain('backupmeta');
  expect(left.filter((name) => name.startsWith('checkpoints/'))).toEqual([]);
});

test('kill-parent with thenHangs: it goes no further, and stops when it is told to', async () => {
  told({ kind: 'kill-parent', at: 0.5, levels: 1, thenHangs: true });
  const program = new URL('../bin/demo-br', import.meta.url).pathname;
  const argv = `backup full -s local://${storage.path('x')} --log-file ${join(storage.root, 'run.log')}`;
  const parent = spawn('sh', ['-c', `"${program}" ${argv} >/dev/null 2>&1 & echo $!; wait`]);
  const [pid] = await once(parent.stdout, 'data');
  const [, signal] = await once(parent, 'exit');
  expect(signal).toBe('SIGKILL');
  process.kill(Number(pid), 'SIGTERM');
  await vi.waitFor(() => expect(lastExit()).toBe(1));
  expect(await names()).not.toContain('backupmeta');
});

test('kill-parent: the parent of its parent dies, and it goes on', async () => {
  told({ kind: 'kill-parent', at: 0.5, levels: 2 });
  const log = join(storage.root, 'run.log');
  // A shell as the worker, a shell as the guard between; the trailing commands keep either from becoming its child.
  const argv = `backup full -s local://${storage.path('x')} --log-file ${log}`;
  const program = new URL('../bin/demo-br', import.meta.url).pathname;
  const guard = `sh -c '"${program}" ${argv} >/dev/null 2>&1; echo guard saw $? >"${storage.root}/guard"'; echo alive`;
  const worker = spawn('sh', ['-c', guard], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  worker.stdout.on('data', (data) => said.push(String(data)));
  const [, signal] = await once(worker, 'exit');
  expect(signal).toBe('SIGKILL');
  await vi.waitFor(() => expect(readFileSync(join(storage.root, 'guard'), 'utf8')).toBe('guard saw 0\n'), {
    timeout: 20_000,
  });
  expect(said).toEqual([]);
  expect(await names()).toContain('backupmeta');
});
