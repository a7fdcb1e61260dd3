import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { localStorage } from './storage-local.ts';
import { readLines, type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const told = (outcome: object | string, script: object = {}) => {
  storage.script({ ...script, outcome });
  return storage.backup('x');
};
const isFinished = async () => (await localStorage(storage.path('x')).list()).includes('backupmeta');

test('flood: so many megabytes of lines, then a success', async () => {
  const { code, stdout } = await told({ kind: 'flood', megabytes: 4 }).ended;
  expect(code).toBe(0);
  expect(stdout.length).toBeGreaterThan(4 * 2 ** 20);
  expect(stdout.split('\n').length).toBeGreaterThan(4_000);
  expect(stdout).toContain('Full Backup success summary');
});

test('flood: a signal ends it', async () => {
  const run = told({ kind: 'flood', megabytes: 100_000, at: 0 });
  await vi.waitFor(() => expect(run.output.stdout.length).toBeGreaterThan(2 ** 20), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  expect((await run.ended).stderr).toContain('Error: context canceled');
});

test('long-line: one line of so many megabytes, then a success', async () => {
  const { code, stdout } = await told({ kind: 'long-line', megabytes: 3 }).ended;
  expect(code).toBe(0);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeGreaterThan(3 * 2 ** 20);
});

test('close-pipes: the reader sees the end of both streams, and the backup is made all the same', async () => {
  const run = told({ kind: 'close-pipes', at: 0.1 }, { seconds: 2 });
  let isClosed = false;
  run.child.stdout?.once('end', () => {
    isClosed = true;
  });
  await vi.waitFor(() => expect(isClosed).toBe(true), { timeout: 20_000, interval: 10 });
  expect(run.child.exitCode).toBeNull();
  const { code, stdout } = await run.ended;
  expect(code).toBe(0);
  expect(stdout).not.toContain('summary');
  expect(await isFinished()).toBe(true);
});

test('fork: its child ignores TERM, outlives it and holds the streams open', async () => {
  const run = told({ kind: 'fork', childSeconds: 3 });
  let exitedAt = 0;
  run.child.once('exit', () => {
    exitedAt = performance.now();
  });
  expect((await run.ended).code).toBe(0);
  // Streams end when the last process that has them is gone: more than a second after the run itself.
  expect(performance.now() - exitedAt).toBeGreaterThan(1_000);
});

test('noisy: ERROR lines and JSON on stderr, and yet a success', async () => {
  const { code, stdout, stderr } = await told('noisy').ended;
  expect(code).toBe(0);
  expect(readLines(stdout).filter(({ level }) => level === 'ERROR').length).toBeGreaterThan(10);
  expect(stderr).toContain('\n{"level":"warn"');
  expect(stderr).not.toContain('Error: ');
});

test('store-away: rounds tell in WARN lines that a TiKV is down, and then it goes on to a success', async () => {
  const { code, stdout } = await told({ kind: 'store-away', at: 0, awaySeconds: 0.3 }).ended;
  expect(code).toBe(0);
  expect(stdout).toContain('[WARN] [client.go:212] ["store not alive, skip backup it in this round"]');
  expect(stdout).toContain('Full Backup success summary');
});

test('tikv-silent: the first signal is not obeyed, the second is', async () => {
  const run = told({ kind: 'tikv-silent', at: 0 });
  await vi.waitFor(() => expect(run.output.stdout).toContain('Backup Ranges Started'), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  await vi.waitFor(() => expect(run.output.stdout).toContain('Got signal terminated'), { timeout: 20_000 });
  expect(run.child.exitCode).toBeNull();
  run.child.kill('SIGTERM');
  expect((await run.ended).code).toBe(1);
});

test('stall: lines go on, progress does not, and a signal ends it', async () => {
  const run = told({ kind: 'stall', at: 0.5 }, { progressIntervalSeconds: 0.05 });
  await vi.waitFor(() => expect(run.output.stdout).toContain('[round=6]'), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  const { stdout, stderr } = await run.ended;
  expect(stderr).toContain('Error: context canceled');
  const stalled = readLines(stdout.slice(stdout.indexOf('[round=2]'))).filter(({ message }) => message === 'progress');
  expect(new Set(stalled.map(({ fields }) => fields.count))).toEqual(new Set(['3 / 6']));
});
