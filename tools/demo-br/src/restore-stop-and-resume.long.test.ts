import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MetaFile } from '@tidemark/protocol/br/backup';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { performTask } from './demo-cluster-task.ts';
import type { Outcome } from './outcome.ts';
import { CHECKPOINT_DATABASE } from './restore-checkpoint.ts';
import { readLines, SOURCE_PD, TARGET_PD, type TestRun, type TestStorage, testStorage } from './test-run.ts';

// What becomes of a restore that was stopped, killed or disturbed, and of the next one.

/** What all tests begin with: a cluster, a backup of it, and an empty cluster. */
let prepared: TestStorage;
let storage: TestStorage;
beforeAll(async () => {
  prepared = testStorage();
  await prepared.cluster(SOURCE_PD).touch();
  await performTask(prepared.cluster(TARGET_PD), { verb: 'empty' }, SIGNAL);
  expect((await prepared.backup('x').ended).code).toBe(0);
});
afterAll(() => prepared[Symbol.asyncDispose]());
beforeEach(() => {
  storage = testStorage();
  cpSync(prepared.root, storage.root, { recursive: true });
});
afterEach(() => storage[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;
/** Half of the regions are loaded and in the checkpoint, and then nothing happens. */
const HALFWAY = { flushSeconds: 0, restore: { outcome: { kind: 'hang', at: 0.5 } } };
const SYSTEM = '__TiDB_BR_Temporary_mysql';
const NOT_FRESH = '[BR:Restore:ErrRestoreNotFreshCluster]cluster is not fresh';
const cluster = () => storage.cluster(TARGET_PD);
const source = () => storage.contentOf(SOURCE_PD);
const target = () => storage.contentOf(TARGET_PD);
const perform = (task: Parameters<typeof performTask>[1]) => performTask(cluster(), task, SIGNAL);
const flushed = async () =>
  [...((await cluster().readTable({ db: CHECKPOINT_DATABASE, table: 'cpt_data' }))?.rows.values() ?? [])].length;

async function restore(more: readonly string[] = []) {
  const result = await storage.restore('x', more).ended;
  return { ...result, error: /^Error: (.*)$/m.exec(result.stderr)?.[1] };
}

/** Starts a restore, and waits until it has flushed two regions. */
async function underWay(more: readonly string[] = [], script: object = HALFWAY): Promise<TestRun> {
  storage.script(script);
  const run = storage.restore('x', more);
  await vi.waitFor(async () => expect(await flushed()).toBeGreaterThan(1), { timeout: 20_000, interval: 20 });
  storage.script({});
  return run;
}

async function stopped(signal: NodeJS.Signals, more: readonly string[] = []) {
  const run = await underWay(more);
  run.child.kill(signal);
  return await run.ended;
}

/** Fails at a step in one run, and says what is left then. */
async function endedAt(outcome: Partial<Outcome>) {
  storage.script({ restore: { outcome } });
  const result = await storage.restore('x').ended;
  storage.script({});
  return result;
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends a restore at once, and leaves what it did', async (signal) => {
  const now = Date.now();
  const { code, stderr, stdout } = await stopped(signal);
  expect(code).toBe(1);
  expect(stderr).toContain('\nError: rpc error: code = Canceled desc = context canceled\n');
  expect(readLines(stdout).map(({ message }) => message)).toContain('skip removing pd schehduler for next retry');
  const left = target();
  expect(Object.keys(left)).toEqual(
    expect.arrayContaining([`${CHECKPOINT_DATABASE}/cpt_metadata.tsv`, `${SYSTEM}/user.tsv`, 'shop/orders.tsv']),
  );
  expect(left['shop/orders.tsv']).not.toBe(source()['shop/orders.tsv']);
  const { importModeUntil, schedulersPausedUntil, restoresUntil } = await cluster().readState();
  expect(importModeUntil).toBeGreaterThan(now);
  expect(schedulersPausedUntil).toBeGreaterThan(now);
  expect(Object.values(restoresUntil)).toEqual([expect.any(Number)]);
  expect(await perform({ verb: 'list' })).toMatch(
    /TiKV is in import mode until .*\nthe schedulers of PD are paused until .*\na restore is registered until /,
  );
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'after %s the same command goes on, and loads nothing again',
  async (signal) => {
    await stopped(signal);
    const { rows } = (await cluster().readTable({ db: CHECKPOINT_DATABASE, table: 'cpt_data' })) ?? {};
    const done = new Set(rows?.values());
    const { dataFiles } = MetaFile.decode(readFileSync(join(storage.path('x'), 'backupmeta.datafile.000000001')));
    const loaded = dataFiles.filter(({ startKey }) => done.has(startKey.toString('hex')));
    expect(loaded.length).toBeGreaterThan(1);
    for (const { name } of loaded) rmSync(join(storage.path('x'), name));
    const { code, stdout } = await restore();
    expect(code).toBe(0);
    expect(target()).toEqual(source());
    expect(readLines(stdout).map(({ message }) => message)).not.toContain('checking whether target cluster is fresh');
  },
);

test.each<Partial<Outcome>>([
  { kind: 'crash', step: 'tables' },
  { kind: 'crash', at: 0 },
  { kind: 'crash', at: 0.5 },
  { kind: 'crash', at: 1 },
  { kind: 'crash', step: 'checksum' },
  { kind: 'crash', step: 'system-tables' },
  { kind: 'crash', step: 'summary' },
  { kind: 'panic', at: 0.5 },
  { kind: 'fail', at: 0.5 },
  { kind: 'fail', step: 'checksum' },
])('wherever it ended, the same command brings everything back: %j', async (outcome) => {
  const { code } = await endedAt({ exitCode: 1, ...outcome });
  expect(code).not.toBe(0);
  expect(Object.keys(target())).toContain(`${CHECKPOINT_DATABASE}/cpt_metadata.tsv`);
  expect((await restore()).code).toBe(0);
  expect(target()).toEqual(source());
  expect(await cluster().readState()).toMatchObject({ importModeUntil: 0, schedulersPausedUntil: 0 });
});

test('a kill after the summary leaves a success on stdout, all rows, and the checkpoint', async () => {
  const { signal, stdout } = await endedAt({ kind: 'crash', step: 'summary' });
  expect(signal).toBe('SIGKILL');
  expect(stdout).toContain('Full Restore success summary');
  const { [`${CHECKPOINT_DATABASE}/cpt_metadata.tsv`]: metadata, ...others } = target();
  expect(metadata).toContain('"restored-ts":');
  expect(others).toMatchObject(source());
});

test('what was not flushed before a kill is done again', async () => {
  storage.script({ ...HALFWAY, flushSeconds: 1_000 });
  const run = storage.restore('x');
  const lines = () => target()['shop/customers.tsv']?.split('\n').length ?? 0;
  await vi.waitFor(() => expect(lines()).toBeGreaterThan(2), { timeout: 20_000, interval: 20 });
  run.child.kill('SIGKILL');
  await run.ended;
  expect(await flushed()).toBe(0);
  storage.script({});
  expect((await restore()).code).toBe(0);
  expect(target()).toEqual(source());
});

test('without a checkpoint a signal puts the schedulers back, and the next run meets what is left', async () => {
  storage.script(HALFWAY);
  const run = storage.restore('x', ['--use-checkpoint=false']);
  await vi.waitFor(() => expect(run.output.stdout).toContain('Restore files'), { timeout: 20_000 });
  run.child.kill('SIGTERM');
  expect((await run.ended).code).toBe(1);
  expect(await cluster().readState()).toMatchObject({ importModeUntil: 0, schedulersPausedUntil: 0 });
  storage.script({});
  expect((await restore(['--use-checkpoint=false'])).error).toContain(NOT_FRESH);
});

test('the checkpoint of another backup, or of another cluster’s, is refused', async () => {
  expect((await storage.backup('y').ended).code).toBe(0);
  const other = ['--pd', '10.0.0.3:2379', '--storage', `local://${storage.path('z')}`];
  expect((await storage.start(['backup', 'full', ...other], { BR_LOG_TO_TERM: '1' }).ended).code).toBe(0);
  await stopped('SIGKILL');
  const before = target();
  const advice = `Perhaps you should specify the last full backup storage instead, or just clean the checkpoint database[${CHECKPOINT_DATABASE}] if the cluster has been cleaned up.`;
  const errorOf = async (name: string) => /^Error: (.*)$/m.exec((await storage.restore(name).ended).stderr)?.[1];
  expect(await errorOf('y')).toMatch(
    /^The current snapshot restore want to restore cluster to the BackupTS\[\d+\], which is different from that\[\d+\] recorded in checkpoint\. /,
  );
  expect(await errorOf('y')).toContain(advice);
  expect(await errorOf('z')).toMatch(
    /^The upstream cluster id\[\d+\] of the current snapshot restore does not match that\[\d+\] recorded in checkpoint\. /,
  );
  expect(target()).toEqual(before);
});

test('another kind of restore after a broken one takes its checkpoint, and the way back is gone', async () => {
  await stopped('SIGKILL');
  expect((await restore(['db', '--db', 'crm'])).code).toBe(0);
  expect(Object.keys(target())).not.toContain(`${CHECKPOINT_DATABASE}/cpt_metadata.tsv`);
  expect((await restore()).error).toContain(NOT_FRESH);
});

test('two restores of one backup disturb each other: the second succeeds early, the first fails at its end', async () => {
  const first = await underWay([], { flushSeconds: 0, seconds: 8 });
  expect((await restore()).code).toBe(0);
  const { code, stderr } = await first.ended;
  expect(code).toBe(1);
  expect(stderr).toContain(
    'Error: error during merging temporary tables into system tables, table: user: [BR:Common:ErrUnknown]',
  );
});

test('a table that was dropped between two attempts is restored anew', async () => {
  await stopped('SIGKILL');
  await perform({ verb: 'drop', db: 'shop', table: 'orders' });
  expect((await restore()).code).toBe(0);
  expect(target()).toEqual(source());
});

test('a table whose rows were compared before is not compared again', async () => {
  await endedAt({ kind: 'crash', step: 'system-tables' });
  await perform({ verb: 'insert', name: { db: 'shop', table: 'orders' }, handle: 99_999, value: 'late' });
  expect((await restore()).code).toBe(0);
  expect(target()['shop/orders.tsv']).toContain('99999\tlate\n');
});

test('a checkpoint that somebody dropped leaves a cluster that is not fresh', async () => {
  await stopped('SIGTERM');
  await perform({ verb: 'drop', db: CHECKPOINT_DATABASE, table: undefined });
  expect((await restore()).error).toContain(NOT_FRESH);
});

test('a mismatch of sums leaves the tables filled', async () => {
  const { code, stderr } = await endedAt({ kind: 'checksum-mismatch' });
  expect(code).toBe(1);
  expect(stderr).toContain('Error: failed to validate checksum: [BR:Restore:ErrRestoreChecksumMismatch]');
  const { 'mysql/user.tsv': _, ...tables } = source();
  expect(target()).toMatchObject(tables);
});

test('a restore that hangs obeys a signal, and one whose TiKV is silent only the second', async () => {
  storage.script({ restore: { outcome: { kind: 'hang', at: 0 } } });
  const hanging = storage.restore('x');
  await vi.waitFor(() => expect(hanging.output.stdout).toContain('Restore files'), { timeout: 20_000 });
  hanging.child.kill('SIGTERM');
  expect((await hanging.ended).code).toBe(1);
  storage.script({ restore: { outcome: { kind: 'tikv-silent', at: 0 } } });
  const silent = storage.restore('x');
  await vi.waitFor(() => expect(silent.output.stdout).toContain('Restore files'), { timeout: 20_000 });
  silent.child.kill('SIGTERM');
  await vi.waitFor(() => expect(silent.output.stdout).toContain('Got signal terminated'), { timeout: 20_000 });
  expect(silent.child.exitCode).toBeNull();
  silent.child.kill('SIGTERM');
  const { code, stderr } = await silent.ended;
  expect(code).toBe(1);
  expect(stderr).not.toContain('Error: ');
});

test('a signal after the summary changes nothing', async () => {
  storage.script({ waitScale: 0.5 });
  const run = storage.restore('x');
  await vi.waitFor(() => expect(run.output.stdout).toContain('success summary'), { timeout: 20_000, interval: 5 });
  run.child.kill('SIGTERM');
  const { code, stderr } = await run.ended;
  expect(code).toBe(0);
  expect(stderr).not.toContain('Error: ');
  expect(target()).toEqual(source());
});
