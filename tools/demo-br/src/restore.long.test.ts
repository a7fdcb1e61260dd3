import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MetaFile } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { performTask } from './demo-cluster-task.ts';
import { CHECKPOINT_DATABASE } from './restore-checkpoint.ts';
import { fieldsOf, readLines, SOURCE_PD, TARGET_PD, type TestRun, type TestStorage, testStorage } from './test-run.ts';

// What a restore does to its target, seen from outside.

let storage: TestStorage;
beforeEach(async () => {
  storage = testStorage();
  await storage.cluster(SOURCE_PD).touch();
  await performTask(storage.cluster(TARGET_PD), { verb: 'empty' }, SIGNAL);
});
afterEach(() => storage[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;
const ORDERS = { db: 'shop', table: 'orders' };
const HALFWAY = { flushSeconds: 0, restore: { outcome: { kind: 'hang', at: 0.5 } } };
const source = () => storage.contentOf(SOURCE_PD);
const target = () => storage.contentOf(TARGET_PD);
const state = () => storage.cluster(TARGET_PD).readState();
const insert = (pd: string, handle: number, value = 'new') =>
  performTask(storage.cluster(pd), { verb: 'insert', name: ORDERS, handle, value }, SIGNAL);

async function backup(more: readonly string[] = []): Promise<void> {
  expect((await storage.backup('x', more).ended).code).toBe(0);
}

async function restore(more: readonly string[] = []) {
  const result = await storage.restore('x', more).ended;
  return { ...result, error: /^Error: (.*)$/m.exec(result.stderr)?.[1] };
}

/** Waits until a restore has flushed something to its checkpoint. */
async function underWay(run: TestRun): Promise<void> {
  const flushed = async () =>
    (await storage.cluster(TARGET_PD).readTable({ db: CHECKPOINT_DATABASE, table: 'cpt_data' }))?.rows.size ?? 0;
  await vi.waitFor(async () => expect(await flushed()).toBeGreaterThan(0), { timeout: 20_000, interval: 20 });
  expect(run.child.exitCode).toBeNull();
}

/** The SSTs of a backup's metadata. */
const sstFiles = () =>
  MetaFile.decode(readFileSync(join(storage.path('x'), 'backupmeta.datafile.000000001'))).dataFiles.map(({ name }) =>
    join(storage.path('x'), name),
  );

test.each([
  ['as it is', []],
  ['encrypted', ['--crypter.method=aes256-ctr', `--crypter.key=${'5a'.repeat(32)}`]],
  ['with metadata of the first form', ['--use-backupmeta-v2=false']],
])('a restored cluster is byte for byte what was backed up, %s', async (_, more) => {
  await insert(SOURCE_PD, 7, 'people’s own row');
  const before = source();
  await backup(more);
  const keys = more.filter((argument) => argument.startsWith('--crypter'));
  const { code, stdout } = await restore(keys);
  expect(code).toBe(0);
  expect(target()).toEqual(before);
  const rows = Object.values(before).map((text) => text.trimEnd().split('\n').length - 1);
  expect(fieldsOf(stdout, 'Full Restore success summary')).toMatchObject({
    'total-ranges': expect.stringMatching(/^\d+$/),
    'total-kv': String(rows.reduce((sum, count) => sum + Math.max(0, count), 0)),
    BackupTS: fieldsOf(stdout, 'Checking incompatible TiCDC changefeeds before restoring.')['restore-ts'],
  });
  expect(source()).toEqual(before);
});

test('a success leaves nothing but the tables', async () => {
  await backup();
  await restore();
  expect(await state()).toMatchObject({ importModeUntil: 0, schedulersPausedUntil: 0, restoresUntil: {} });
  expect(Object.keys(target())).toEqual(Object.keys(source()));
});

test('a cluster that nobody has touched is not empty', async () => {
  await backup();
  rmSync(storage.cluster(TARGET_PD).folder, { recursive: true });
  const { code, error } = await restore();
  expect(code).toBe(1);
  expect(error).toBe(
    'user db/tables: crm.contacts, shop.customers, shop.orders, shop.products: [BR:Restore:ErrRestoreNotFreshCluster]cluster is not fresh',
  );
});

test('a refusal for user tables changes none of them, and leaves schedulers and import mode to their time', async () => {
  await backup();
  await insert(TARGET_PD, 1);
  const before = target();
  const now = Date.now();
  expect((await restore()).code).toBe(1);
  expect(target()).toEqual(before);
  const { importModeUntil, schedulersPausedUntil, restoresUntil } = await state();
  expect(schedulersPausedUntil).toBeGreaterThan(now + 290_000);
  expect(schedulersPausedUntil).toBeLessThanOrEqual(Date.now() + 300_000);
  expect(importModeUntil).toBeGreaterThan(now + 590_000);
  expect(restoresUntil).toEqual({});
});

test('a refusal before that pauses nothing', async () => {
  await backup();
  const { error } = await restore(['db', '--db', 'nosuch']);
  expect(error).toContain('[database: `nosuch`] has not been backup');
  expect(await state()).toMatchObject({ importModeUntil: 0, schedulersPausedUntil: 0, restoresUntil: {} });
});

test('clusters that compare texts in different ways do not restore each other', async () => {
  await backup();
  await storage.cluster(TARGET_PD).changeState(() => ({ newCollation: false }));
  expect((await restore()).error).toBe(
    "the config 'new_collation_enabled' not match, upstream:True, downstream: False: [BR:Common:ErrUnknown]internal error",
  );
  expect((await restore(['--check-requirements=false'])).code).toBe(0);
});

test('what a filter leaves out is not there, and system tables stay the target’s without --with-sys-table', async () => {
  await backup();
  const { code } = await restore(['--filter', 'shop.*', '--filter', '!shop.orders', '--with-sys-table=false']);
  expect(code).toBe(0);
  const { 'shop/customers.tsv': customers, 'shop/products.tsv': products } = source();
  expect(target()).toEqual({
    'mysql/user.tsv': 'id\tvalue\n',
    'shop/customers.tsv': customers,
    'shop/products.tsv': products,
    test: '',
  });
});

test.each([
  [['db', '--db', 'shop'], 'DataBase Restore', ['shop/customers.tsv', 'shop/orders.tsv', 'shop/products.tsv']],
  [['table', '--db', 'shop', '--table', 'orders'], 'Table Restore', ['shop/orders.tsv']],
  [['table', '--db', 'shop', '-t', 'orders'], 'Table Restore', ['shop/orders.tsv']],
])('restore %j brings back that alone', async (words, name, files) => {
  await backup();
  const { code, stdout } = await restore(words);
  expect(code).toBe(0);
  expect(fieldsOf(stdout, `${name} success summary`)['ranges-failed']).toBe('0');
  expect(readLines(stdout).find(({ message }) => message === 'progress')?.fields.step).toBe(name);
  const { test: _, 'mysql/user.tsv': users, ...others } = target();
  expect(Object.keys(others).toSorted()).toEqual(files);
  expect(users).toBe('id\tvalue\n');
  for (const file of files) expect(others[file]).toBe(source()[file]);
});

test('a table that is there keeps rows that the backup lacks: a success without checksums, else an error after the damage', async () => {
  await insert(SOURCE_PD, 5, 'old');
  await backup();
  await insert(TARGET_PD, 5, 'changed');
  await insert(TARGET_PD, 77_777, 'young');
  const mixed = source()['shop/orders.tsv']?.replace(/$/, '77777\tyoung\n');
  expect((await restore(['table', '--db', 'shop', '--table', 'orders', '--checksum=false'])).code).toBe(0);
  expect(target()['shop/orders.tsv']).toBe(mixed);
  const { code, error } = await restore(['table', '--db', 'shop', '--table', 'orders', '--checksum=true']);
  expect([code, error]).toEqual([
    1,
    'failed to validate checksum: [BR:Restore:ErrRestoreChecksumMismatch]restore checksum mismatch',
  ]);
  expect(target()['shop/orders.tsv']).toBe(mixed);
});

test('rows of users that stay the target’s are not replaced', async () => {
  const users = { db: 'mysql', table: 'user' };
  const columns = 'id\thost\tuser\tpassword';
  await storage.cluster(SOURCE_PD).writeTable(users, {
    columns,
    rows: new Map([
      [1, '%\troot\tof the source'],
      [2, '%\tada\tof the source'],
    ]),
  });
  await storage.cluster(TARGET_PD).writeTable(users, { columns, rows: new Map([[1, '%\troot\tof the target']]) });
  await backup();
  expect((await restore()).code).toBe(0);
  expect(target()['mysql/user.tsv']).toBe(`${columns}\n1\t%\troot\tof the target\n2\t%\tada\tof the source\n`);
});

test('an SST that is missing is tried 128 times, and a run goes on as soon as it is there', async () => {
  await backup();
  const [sst = ''] = sstFiles();
  const body = readFileSync(sst);
  rmSync(sst);
  const { code, error, stdout } = await restore();
  expect(code).toBe(1);
  expect(error?.split('; ')).toHaveLength(128);
  expect(readLines(stdout).filter(({ message }) => message === 'download file failed, retry later')).toHaveLength(16);
  expect(fieldsOf(stdout, 'Full Restore failed summary')).toMatchObject({
    'total-ranges': '1',
    'ranges-succeed': '0',
    'ranges-failed': '1',
    'unit-name': 'file',
    error,
  });

  storage.script({ waitScale: 0.02 });
  const run = storage.restore('x');
  await vi.waitFor(() => expect(run.output.stdout).toContain('download file failed'), { timeout: 20_000 });
  writeFileSync(sst, body);
  expect((await run.ended).code).toBe(0);
  expect(target()).toEqual(source());
});

test('a byte that was changed is found by the checksum, and is a success without', async () => {
  await insert(SOURCE_PD, 5, 'five');
  await backup();
  const sst = sstFiles().find((file) => readFileSync(file, 'utf8').includes('5\tfive\n')) ?? '';
  writeFileSync(sst, readFileSync(sst, 'utf8').replace('5\tfive\n', '5\tfife\n'));
  const { error, stdout } = await restore();
  expect(error).toContain('[BR:Restore:ErrRestoreChecksumMismatch]');
  expect(fieldsOf(stdout, 'failed in validate checksum')).toMatchObject({ db: 'shop', table: 'orders' });
  await performTask(storage.cluster(TARGET_PD), { verb: 'empty' }, SIGNAL);
  expect((await restore(['--checksum=false'])).code).toBe(0);
  expect(target()['shop/orders.tsv']).toContain('\n5\tfife\n');
});

test.each([
  [['db'], 'required flag(s) "db" not set'],
  [['table', '--db', 'shop'], 'required flag(s) "table" not set'],
  [['table'], 'required flag(s) "db", "table" not set'],
])('restore %j names the flags that it lacks, and does nothing', async (words, error) => {
  const before = target();
  const result = await restore(words);
  expect([result.code, result.error]).toEqual([1, error]);
  expect(result.stdout.trimEnd().split('\n')).toHaveLength(1);
  expect(target()).toEqual(before);
});

test('a checkpoint that cannot be removed is a warning after the success, and stays', async () => {
  await backup();
  storage.script({ restore: { outcome: 'checkpoint-stays' } });
  const { code, stdout } = await restore();
  expect(code).toBe(0);
  const messages = readLines(stdout).map(({ message }) => message);
  expect(messages.slice(-2)).toEqual([
    'Full Restore success summary',
    'failed to remove checkpoint data for snapshot restore',
  ]);
  expect(Object.keys(target())).toContain(`${CHECKPOINT_DATABASE}/cpt_metadata.tsv`);
  expect(target()).toMatchObject(source());
});

test('a restore needs a place for its clusters, and says so', async () => {
  await backup();
  const { code, stderr } = await storage.restore('x', [], { DEMO_BR_CLUSTERS: '' }).ended;
  expect(code).toBe(1);
  expect(stderr).toContain(
    'Error: demo-br: a restore needs a place for its clusters: set DEMO_BR_CLUSTERS to a folder\n',
  );
});

test('a restore is in the ledger with its outcome, and may be told something else than backups', async () => {
  storage.script({ ledger: 'ledger.jsonl', restore: { outcome: 'fail' } });
  await backup();
  expect((await restore()).error).toBe('demo-br was told to fail');
  const lines = readFileSync(join(storage.root, 'ledger.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ event, command, pd, outcome, exit }) => [event, command, pd, outcome, exit])).toEqual([
    ['start', 'backup', SOURCE_PD, 'success', undefined],
    ['end', 'backup', SOURCE_PD, 'success', 0],
    ['start', 'restore', TARGET_PD, 'fail', undefined],
    ['end', 'restore', TARGET_PD, 'fail', 1],
  ]);
});

test('a backup does not wait for a restore of the same cluster', async () => {
  await backup();
  storage.script(HALFWAY);
  const run = storage.restore('x');
  await underWay(run);
  storage.script({});
  const during = await storage.start(
    ['backup', 'full', '--pd', TARGET_PD, '--storage', `local://${storage.path('y')}`],
    { BR_LOG_TO_TERM: '1' },
  ).ended;
  expect(during.code).toBe(0);
  expect(run.child.exitCode).toBeNull();
});
