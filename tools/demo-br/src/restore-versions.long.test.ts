import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { performTask } from './demo-cluster-task.ts';
import { CHECKPOINT_DATABASE } from './restore-checkpoint.ts';
import { localStorage } from './storage-local.ts';
import { fieldsOf, readLines, SOURCE_PD, TARGET_PD, type TestStorage, testStorage } from './test-run.ts';

// What versions do differently when they restore.

let storage: TestStorage;
beforeEach(async () => {
  storage = testStorage();
  await storage.cluster(SOURCE_PD).touch();
  await performTask(cluster(), { verb: 'empty' }, SIGNAL);
});
afterEach(() => storage[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;
const REGISTRY = 'mysql/tidb_restore_registry.tsv';
const ALREADY_EXISTED = '[BR:Restore:ErrTablesAlreadyExisted]tables already existed in restored cluster';
const ORDERS = ['table', '--db', 'shop', '--table', 'orders'];
const cluster = () => storage.cluster(TARGET_PD);
const source = () => storage.contentOf(SOURCE_PD);
const target = () => storage.contentOf(TARGET_PD);
const checkpointFiles = async () =>
  (await localStorage(storage.path('x')).list()).filter((name) => name.startsWith('checkpoints/restore-'));

/** What all runs are told from now on. */
let version: string;
const told = (script: object = {}) => storage.script({ version, ...script });

async function backup(ofVersion: string, more: readonly string[] = []): Promise<void> {
  version = ofVersion;
  told();
  expect((await storage.backup('x', more).ended).code).toBe(0);
}

async function restore(more: readonly string[] = []) {
  const result = await storage.restore('x', more).ended;
  return { ...result, error: /^Error: (.*)$/m.exec(result.stderr)?.[1] };
}

/** Ends a restore that has loaded half of the regions. */
async function stopped(signal: NodeJS.Signals) {
  told({ flushSeconds: 0, restore: { outcome: { kind: 'hang', at: 0.5 } } });
  const run = storage.restore('x');
  const lines = () => target()['shop/customers.tsv']?.split('\n').length ?? 0;
  await vi.waitFor(() => expect(lines()).toBeGreaterThan(2), { timeout: 20_000, interval: 20 });
  run.child.kill(signal);
  told();
  return await run.ended;
}

/** A restore that fails when it has loaded half of the regions. */
async function failed() {
  told({ flushSeconds: 0, restore: { outcome: 'fail' } });
  expect((await restore()).code).toBe(1);
  told();
}

test('v6.5 has no checkpoint: its next run meets what is left where system tables are restored, else it writes over it', async () => {
  await backup('v6.5.8');
  expect((await stopped('SIGTERM')).code).toBe(1);
  expect(Object.keys(target()).filter((name) => name.startsWith(CHECKPOINT_DATABASE))).toEqual([]);
  expect(await cluster().readState()).toMatchObject({ importModeUntil: 0, schedulersPausedUntil: 0 });
  expect((await restore(['--with-sys-table=true'])).error).toContain('cluster is not fresh');
  expect((await restore()).code).toBe(0);
  const { 'mysql/user.tsv': _, ...tables } = source();
  expect(target()).toMatchObject(tables);
  expect((await restore(['--use-checkpoint=false'])).error).toBe('unknown flag: --use-checkpoint');
});

test.each(['v7.5.0', 'v8.1.0'])('%s keeps its checkpoint beside the backup, and goes on from there', async (one) => {
  await backup(one);
  await stopped('SIGKILL');
  const files = await checkpointFiles();
  expect(files.filter((name) => name.endsWith('/checkpoint.meta'))).toHaveLength(1);
  expect(files.filter((name) => name.includes('/data/')).length).toBeGreaterThan(0);
  expect(Object.keys(target()).filter((name) => name.startsWith(CHECKPOINT_DATABASE))).toEqual([]);
  const { code, stdout } = await restore();
  expect(code).toBe(0);
  expect(stdout).not.toContain('checking whether target cluster is fresh');
  expect(target()['shop/orders.tsv']).toBe(source()['shop/orders.tsv']);
  expect(await checkpointFiles()).toEqual([]);
});

test.each([
  ['v7.5.0', false],
  ['v8.1.0', true],
])('without --with-sys-table %s brings users back: %s', async (one, withUsers) => {
  await backup(one);
  expect((await restore()).code).toBe(0);
  expect(target()['mysql/user.tsv'] === source()['mysql/user.tsv']).toBe(withUsers);
});

test.each([
  ['v8.1.0', 6],
  ['v8.5.0', 0],
])('a backup that %s made without checksums has tables without sums', async (one, without) => {
  await backup(one);
  version = one;
  told();
  const { stdout } = await restore();
  const { length } = readLines(stdout).filter(({ message }) => message.startsWith('table has no checksum'));
  expect(length > 0).toBe(without > 0);
});

test('v8.5.6 numbers its checkpoint and registers the restore, until it has succeeded', async () => {
  await backup('v8.5.6');
  await failed();
  expect(Object.keys(target())).toContain(`${CHECKPOINT_DATABASE}_1/cpt_metadata.tsv`);
  expect(target()[REGISTRY]).toMatch(/\n1\t\*\.\*\t0\t\d+\t\d+\t1\tpaused\tFull Restore\t/);
  expect((await restore()).code).toBe(0);
  expect(target()).toEqual(source());
  for (const db of ['crm', 'shop']) await performTask(cluster(), { verb: 'drop', db, table: undefined }, SIGNAL);
  await failed();
  expect(target()[REGISTRY]).toMatch(/\n2\t/);
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'v8.5.6 counts a restore that got %s as running until its heartbeat is old',
  async (signal) => {
    await backup('v8.5.6');
    await stopped(signal);
    expect(target()[REGISTRY]).toContain('\trunning\t');
    await cluster().changeState(() => ({ schedulersPausedUntil: 0 }));
    expect((await restore()).error).toBe(
      'task with ID 1 already exists and is running: [BR:Common:ErrInvalidArgument]invalid argument',
    );
    expect((await cluster().readState()).schedulersPausedUntil).toBe(0);
    told({ registryStaleSeconds: 0 });
    expect((await restore()).code).toBe(0);
    expect(target()).toEqual(source());
  },
);

test('v8.5.6 keeps the tables of a broken restore from other restores', async () => {
  await backup('v8.5.6');
  await failed();
  const { error } = await restore(ORDERS);
  expect(error).toMatch(
    /^table shop\.orders cannot be restored by current task with ID 2 because it is already being restored by task \(restoreId: 1, time range: 0->\d+, cmd: Full Restore\): /,
  );
  expect(error).toContain(ALREADY_EXISTED);
});

test('v8.5.6 refuses tables that are there before it touches anything', async () => {
  await backup('v8.5.6');
  expect((await restore(ORDERS)).code).toBe(0);
  const before = target();
  expect((await restore(ORDERS)).error).toBe(`table already exists: shop.orders: ${ALREADY_EXISTED}`);
  expect((await restore(['--filter', 'shop.*'])).error).toBe(`table already exists: shop.orders: ${ALREADY_EXISTED}`);
  expect(target()).toEqual(before);
  expect(await cluster().readState()).toMatchObject({ importModeUntil: 0, schedulersPausedUntil: 0 });
});

test('v8.5.6 shows a step for each kind of work', async () => {
  await backup('v8.5.6');
  const { code, stdout } = await restore();
  expect(code).toBe(0);
  const progress = readLines(stdout).filter(({ message }) => message === 'progress');
  expect(progress.slice(-3).map(({ fields }) => [fields.step, fields.progress])).toEqual([
    ['Split&Scatter Region(s)', '100.00%'],
    ['Download&Ingest SST', '100.00%'],
    ['Restore Pipeline', '100.00%'],
  ]);
});

test('a cluster that BR does not fit is refused before there is a summary, and left as it was', async () => {
  await backup('v8.5.0');
  told({ clusterVersion: 'v8.1.0' });
  const before = target();
  const { code, error, stdout } = await restore();
  expect(code).toBe(1);
  expect(error).toContain('running BR in incompatible version of cluster');
  expect(stdout).not.toContain('summary');
  expect(target()).toEqual(before);
  expect((await cluster().readState()).restoresUntil).toEqual({});
});

test('the summary of a resumed restore counts everything', async () => {
  await backup('v8.5.0');
  const whole = fieldsOf((await restore()).stdout, 'Full Restore success summary');
  await performTask(cluster(), { verb: 'empty' }, SIGNAL);
  await stopped('SIGKILL');
  const resumed = fieldsOf((await restore()).stdout, 'Full Restore success summary');
  for (const name of ['total-ranges', 'total-kv', 'Size', 'BackupTS']) expect(resumed[name]).toBe(whole[name]);
});
