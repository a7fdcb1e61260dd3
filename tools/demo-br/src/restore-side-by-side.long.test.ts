import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackupMeta, MetaFile } from '@tidemark/protocol/br/backup';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { clusterFolderName, demoCluster } from './demo-cluster.ts';
import { rowKey } from './regions.ts';
import { SAMPLE_TABLES } from './sample-data.ts';
import type { Table, TableName } from './table.ts';
import { type TestRun, type TestStorage, testStorage } from './test-run.ts';
import { outputShape, withoutNumbers } from './testing/output-shape.ts';

// The commands of recorded restores of the real program (testdata/restore, of a build close to v8.5.0; lines of the PD and
// TiDB clients are cut out of them, stacks and long values are cut short, and texts that were said many times over are
// there once; of a restore to a point, so is what schemas, indexes and replicas bring about after the snapshot), given to this
// one in an equal situation: the same tables, with as many ranges.

const SAMPLES = fileURLToPath(new URL('../testdata/restore', import.meta.url));
/** What the storages of the recorded runs lay in. */
const RECORDED_ROOT = '/backup';
const SOURCE = '10.0.0.9:2379';
const KEY = ['--crypter.method', 'aes128-ctr', '--crypter.key', '0123456789abcdef0123456789abcdef'];

interface Situation {
  readonly script?: object;
  /** What was done to the target before. */
  readonly before?: (target: Target) => Promise<unknown>;
  /** What stdout holds when the signals are sent. */
  readonly signalAt?: string;
}

/** The cluster that a recorded command restores into, in a place of its own. */
interface Target {
  readonly sample: string;
  readonly root: string;
  readonly pd: string;
  readonly folder: string;
}

const columns = 'id\tvalue';
const rowsFrom = (...starts: number[]): Table => ({
  columns,
  rows: new Map(starts.flatMap((start) => [1, 2, 3].map((n) => [start + n, `row ${n}`] as const))),
});
const ranges = (count: number) => rowsFrom(...Array.from({ length: count }, (_, index) => index * 10_000));
const EMPTY_SYSTEM_TABLES = 'columns_priv db default_roles global_grants global_priv role_edges tables_priv'.split(' ');

const table = (db: string, name: string): TableName => ({ db, table: name });
const ORDERS_ID = SAMPLE_TABLES.find(({ db, table: name }) => db === 'shop' && name === 'orders')?.id ?? 0;
const SLOW = { seconds: 30, flushSeconds: 30 };
const failure = (name: string) => ({ outcome: { kind: 'fail', name } });

let storage: TestStorage;
/** What the runs from now on are told. */
const told = (script: object) => storage.script({ version: 'v8.5.0', seconds: 0.1, ...script });

beforeAll(async () => {
  storage = testStorage();
  told({});
  const source = demoCluster(join(storage.root, 'clusters'), [SOURCE], { regions: 1, bytesPerFile: 1 });
  await source.createDatabase('test');
  await source.writeTable(table('shop', 'orders'), ranges(2));
  await source.writeTable(table('shop', 'items'), ranges(1));
  await source.writeTable(table('crm', 'people'), ranges(1));
  await source.writeTable(table('crm', 'empty'), ranges(0));
  for (const name of EMPTY_SYSTEM_TABLES) await source.writeTable(table('mysql', name), ranges(0));
  for (const name of ['user', 'bind_info']) await source.writeTable(table('mysql', name), ranges(3));
  await backup('full1');
  await backup('enc', KEY);
  await log('start', '--task-name', 'pitr', '--pd', SOURCE, '--storage', `local://${storage.path('log3')}`);
  await backup('full4c');
  await log('status', '--pd', SOURCE);
  await log('stop', '--task-name', 'pitr', '--pd', SOURCE);
  await source.writeTable(table('mysql', 'db'), ranges(2));
  await backup('users');
  await backup('other1');

  for (const name of ['slow1', 'full4', 'v600', 'v950', 'v1050', 'badsst', 'nosst', 'junksst']) {
    cpSync(storage.path('full1'), storage.path(name), { recursive: true });
  }
  cpSync(storage.path('log3'), storage.path('log2'), { recursive: true });
  for (const [name, version] of Object.entries({ v600: '6.0.0', v950: '9.5.0', v1050: '10.5.0' })) {
    const file = join(storage.path(name), 'backupmeta');
    const meta = BackupMeta.decode(readFileSync(file));
    writeFileSync(file, BackupMeta.encode({ ...meta, clusterVersion: version }).finish());
  }
  // The region that the recorded runs had trouble with is one of shop.orders.
  const bad = sstOfOrders('badsst');
  writeFileSync(bad, readFileSync(bad, 'utf8').replace('row 1', 'raw 1'));
  rmSync(sstOfOrders('nosst'));
  writeFileSync(sstOfOrders('junksst'), 'no SST at all');
  mkdirSync(storage.path('empty'));
  mkdirSync(storage.path('trunc'));
}, 60_000);
afterAll(() => storage[Symbol.asyncDispose]());

async function backup(name: string, more: readonly string[] = []): Promise<void> {
  const argv = ['backup', 'full', '--pd', SOURCE, '--storage', `local://${storage.path(name)}`, ...more];
  expect((await storage.start(argv, { BR_LOG_TO_TERM: '1' }).ended).code).toBe(0);
}

async function log(...words: readonly string[]): Promise<void> {
  expect((await storage.start(['log', ...words]).ended).code).toBe(0);
}

/** An SST of shop.orders. */
function sstOfOrders(name: string): string {
  const { dataFiles } = MetaFile.decode(readFileSync(join(storage.path(name), 'backupmeta.datafile.000000001')));
  const own = dataFiles.find(({ startKey }) => startKey.equals(rowKey(ORDERS_ID, 0)));
  return join(storage.path(name), own?.name ?? '');
}

const restore = ({ root, pd }: Target, name: string) =>
  storage.start(['restore', 'full', '--pd', pd, '--storage', `local://${storage.path(name)}`, '--checksum=true'], {
    BR_LOG_TO_TERM: '1',
    DEMO_BR_CLUSTERS: root,
  });
const targetOf = ({ root, pd }: Target) => demoCluster(root, [pd], { regions: 1, bytesPerFile: 1 });
/** The target holds all that the backup does. */
const restored = async ({ folder }: Target) =>
  cpSync(join(storage.root, 'clusters', clusterFolderName([SOURCE])), folder, { recursive: true });
const ended = (signal: NodeJS.Signals) => async (target: Target) => {
  told(SLOW);
  const run = restore(target, 'full1');
  await vi.waitFor(() => expect(run.output.stdout).toContain('Restore files'), { timeout: 20_000, interval: 5 });
  run.child.kill(signal);
  await run.ended;
};
const killed = ended('SIGKILL');
const ordersWith = (text: Table) => async (target: Target) => {
  await restored(target);
  await targetOf(target).writeTable(table('shop', 'orders'), text);
};
const changed = ordersWith(rowsFrom(0, 10_000, 20_000));
const AWAY = { kind: 'download-fails', at: 0, awaySeconds: 1_000 };

const SITUATIONS: Readonly<Record<string, Situation>> = {
  'backup-of-newer-major': {},
  'backup-of-newer-two-majors': {},
  'backup-of-newer-two-majors-forced': {},
  'backup-of-older-major': {},
  'backupmeta-missing': {},
  'backupmeta-truncated': {
    async before() {
      cpSync(join(storage.path('full1'), 'backupmeta'), join(storage.path('trunc'), 'backupmeta'));
      truncateSync(join(storage.path('trunc'), 'backupmeta'), 100);
    },
  },
  'backupmeta-zero': { before: async () => writeFileSync(join(storage.path('trunc'), 'backupmeta'), '') },
  'bad-flag': {},
  cancelled: { script: SLOW, signalAt: 'Restore files' },
  'cancelled-after-summary': { script: { waitScale: 1 }, signalAt: 'success summary' },
  'cancelled-while-waiting-for-pd': {
    script: { ...failure('pd-unreachable'), waitScale: 1 },
    signalAt: 'trying to connect',
  },
  'checkpoint-of-other-backup': { before: killed },
  'checkpoint-off': { before: killed },
  'checksum-as-word': {},
  'db-exists': { before: restored },
  'db-unknown': {},
  'download-fails-then-heals': { script: { outcome: { ...AWAY, awaySeconds: 0.5 }, waitScale: 1 } },
  'download-permission-denied': { script: { outcome: AWAY } },
  'encrypted-no-key': {},
  'filter-matches-nothing': {},
  killed: { script: SLOW, signalAt: 'Restore files' },
  'killed-after-summary': { script: { waitScale: 1 }, signalAt: 'success summary' },
  'log-restore-refused': { script: failure('log-backup-running') },
  'not-fresh': { before: restored },
  'not-fresh-no-requirements': { before: restored },
  'pd-unreachable': { script: failure('pd-unreachable') },
  'point-beyond': {},
  'point-no-full': {},
  'point-not-fresh': { before: restored },
  'point-success': {},
  'restore-changed-without-checksum': {},
  'restore-checksum-mismatch': {},
  'resumed-after-cancel': { before: ended('SIGTERM') },
  'resumed-after-kill': { before: killed },
  'sst-junk': { script: { waitScale: 0.01 }, signalAt: 'download file failed' },
  'sst-missing': {},
  'storage-missing': {},
  success: {},
  'success-db': {},
  'success-encrypted': {},
  'success-filter': {
    before: async (target) => targetOf(target).writeTable(table('crm', 'people'), ranges(1)),
  },
  'success-ratelimit': {},
  'success-table': {},
  'success-with-progress': { script: { seconds: 0.5, progressIntervalSeconds: 0.1 } },
  'success-with-users': {},
  'success-without-sys-table': {},
  'table-exists': { before: restored },
  'table-exists-changed': { before: changed },
  'table-exists-changed-checksum': { before: changed },
  'table-exists-other-schema': {
    before: ordersWith({ columns: 'id\tname', rows: new Map() }),
  },
  'table-unknown': {},
};

/** Compared in tests of their own. */
const APART = ['abort-unknown', 'early-term'];

const read = (sample: string, file: string) => readFileSync(join(SAMPLES, sample, file), 'utf8');
const here = (text: string) => text.replaceAll(RECORDED_ROOT, storage.root);
const there = (text: string) => text.replaceAll(storage.root, RECORDED_ROOT);

function targetFor(sample: string): Target {
  const { argv } = JSON.parse(read(sample, 'command.json')) as { argv: string[] };
  const root = join(storage.root, `clusters-${sample}`);
  const pd = argv[argv.indexOf('--pd') + 1] ?? '';
  const target = { sample, root, pd, folder: join(root, clusterFolderName([pd])) };
  mkdirSync(join(target.folder, 'test'), { recursive: true });
  return target;
}

function startAgain({ sample, root }: Target, script: object = {}): { run: TestRun; signals: string[] } {
  const { argv, env, signals } = JSON.parse(read(sample, 'command.json'));
  told(script);
  const given = (argv as string[]).slice(1).map(here);
  const run = storage.start(given, { ...env, DEMO_BR_VERSION: 'v8.5.0', DEMO_BR_CLUSTERS: root });
  return { run, signals: signals.map(([, signal]: [number, string]) => signal) };
}

/** The first of `some` that is not in `all`, in the same order; undefined if all are. */
function firstOutOfOrder(some: readonly string[], all: readonly string[]): string | undefined {
  let from = 0;
  return some.find((line) => {
    const at = all.indexOf(line, from);
    from = at + 1;
    return at < 0;
  });
}

const isOfOneTable = (line: string) => / table has no checksum| success in validating checksum/.test(line);

test('every recorded restore has its counterpart here', () => {
  expect([...Object.keys(SITUATIONS), ...APART].toSorted()).toEqual(readdirSync(SAMPLES).toSorted());
});

test.each(Object.entries(SITUATIONS))(
  '%s: streams, exit and order of lines are those of br',
  async (sample, situation) => {
    const target = targetFor(sample);
    await situation.before?.(target);
    const { run, signals } = startAgain(target, situation.script);
    for (const signal of signals) {
      await vi.waitFor(() => expect(run.output.stdout).toContain(situation.signalAt), { timeout: 20_000, interval: 5 });
      run.child.kill(signal as NodeJS.Signals);
    }
    const { code, signal, stdout, stderr } = await run.ended;

    const command = JSON.parse(read(sample, 'command.json'));
    expect([code, signal]).toEqual([command.exitCode, command.signal]);
    const [notBr, ...errors] = there(stderr).split('\n');
    expect(notBr).toContain('not PingCAP BR');
    expect(withoutNumbers(errors.join('\n'))).toBe(withoutNumbers(read(sample, 'stderr')));

    const shape = outputShape(there(stdout));
    const recorded = outputShape(read(sample, 'stdout'));
    expect(shape.plain.map(withoutNumbers)).toEqual(recorded.plain.map(withoutNumbers));
    expect(shape.end).toEqual(recorded.end);
    // The last line of a step that failed loses its race against the end at times.
    expect(shape.steps).toEqual(code === 0 ? recorded.steps : expect.arrayContaining([...recorded.steps]));
    // Tables are compared side by side: whose line comes first is chance.
    const [compared, others] = [shape.lines.filter(isOfOneTable), shape.lines.filter((line) => !isOfOneTable(line))];
    if (signal === null) expect(compared.toSorted()).toEqual(recorded.lines.filter(isOfOneTable).toSorted());
    expect(firstOutOfOrder(others, recorded.lines)).toBeUndefined();
  },
  30_000,
);

test('early-term: SIGTERM in its first milliseconds is its death, and it prints nothing', async () => {
  const { run, signals } = startAgain(targetFor('early-term'));
  for (const signal of signals) run.child.kill(signal as NodeJS.Signals);
  const { code, signal, stdout } = await run.ended;
  expect([code, signal, stdout]).toEqual([null, 'SIGTERM', '']);
});

test('abort-unknown: help on stdout with the same parts', async () => {
  const { run } = startAgain(targetFor('abort-unknown'));
  const { code, stdout } = await run.ended;
  const parts = (text: string) => text.split('\n').filter((line) => line !== '' && !/^ +-/.test(line));
  expect(code).toBe(0);
  expect(parts(stdout)).toEqual(parts(read('abort-unknown', 'stdout')));
});
