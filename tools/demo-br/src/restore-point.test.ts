import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clusterDigests } from './cluster-digests.ts';
import { performTask } from './demo-cluster-task.ts';
import { LOG_CHECKPOINT_DATABASE } from './log-checkpoint.ts';
import { CHECKPOINT_DATABASE } from './restore-checkpoint.ts';
import { fieldsOf, readLines, SOURCE_PD, TARGET_PD, type TestStorage, testStorage } from './test-run.ts';
import { tsoAt, tsoMillis, tsoText } from './tso.ts';
import { lastRow, type Writes } from './writes.ts';

// `br restore point`, seen from outside: which rows are there then, what it refuses, and what becomes of a run that was ended.

let storage: TestStorage;
/** The source writes a row every 10 ms; it has a backup, and a log with several files up to `end`. */
let writes: Writes;
let backupTs: bigint;
let start: bigint;
let end: bigint;
beforeEach(async () => {
  storage = testStorage();
  await source().touch();
  await br('log', 'start', '--task-name', 'pitr', '--pd', SOURCE_PD, '--storage', at('log'));
  writes = { db: 'shop', table: 'ticks', everyMs: 10, since: Date.now() };
  await source().changeState(() => ({ writes }));
  await perform(SOURCE_PD, { verb: 'insert', name: ORDERS, handle: 7, value: 'before' });
  backupTs = BigInt(fieldsOf((await storage.backup('full').ended).stdout, 'backup encode timestamp').BackupTS ?? '');
  await perform(SOURCE_PD, { verb: 'insert', name: ORDERS, handle: 7, value: 'after' });
  await perform(SOURCE_PD, { verb: 'insert', name: { db: 'crm', table: 'young' }, handle: 1, value: 'one' });
  for (let looks = 0; looks < 4; looks += 1) await br('log', 'status', '--pd', SOURCE_PD);
  const { logTask } = await source().readState();
  [start, end] = [BigInt(logTask?.startTs ?? 0), BigInt(logTask?.checkpoint ?? 0)];
  await perform(TARGET_PD, { verb: 'empty' });
});
afterEach(() => storage[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;
const ORDERS = { db: 'shop', table: 'orders' };
const source = () => storage.cluster(SOURCE_PD);
const target = () => storage.cluster(TARGET_PD);
const at = (name: string) => `local://${storage.root}/${name}`;
const perform = (pd: string, task: Parameters<typeof performTask>[1]) => performTask(storage.cluster(pd), task, SIGNAL);
const br = (...argv: string[]) => storage.start(argv, { BR_LOG_TO_TERM: '1' }).ended;

/** Starts `restore point` into the target. */
const started = (restoredTs: bigint | undefined, { full = 'full', log = 'log', more = [] as string[] } = {}) =>
  storage.start(
    [
      ...['restore', 'point', '--pd', TARGET_PD, '--full-backup-storage', at(full), '--storage', at(log)],
      ...(restoredTs === undefined ? [] : ['--restored-ts', String(restoredTs)]),
      ...more,
    ],
    { BR_LOG_TO_TERM: '1' },
  );

async function restore(...args: Parameters<typeof started>) {
  const result = await started(...args).ended;
  return { ...result, error: /^Error: (.*)$/m.exec(result.stderr)?.[1] };
}

/** Whether the target holds exactly what the source held at a time. */
async function expectRowsOf(ts: bigint): Promise<void> {
  const { 'shop.ticks': ticks, 'shop.orders': orders, 'crm.young': _, ...others } = await clusterDigests(target());
  const { 'shop.ticks': expected, 'shop.orders': __, 'crm.young': ___, ...same } = await clusterDigests(source(), ts);
  expect(ticks).toEqual(expected);
  expect(ticks?.lastRow).toBe(lastRow(writes, ts));
  expect(others).toEqual(same);
  expect(orders).toBeDefined();
}

const files = (folder: string, ending: string) =>
  readdirSync(join(storage.path('log'), folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(storage.path('log'), folder, name))
    .toSorted();
const messages = (stdout: string) => readLines(stdout).map(({ message }) => message);

/** A time in the middle of the log. */
const middle = () => tsoAt((tsoMillis(backupTs) + tsoMillis(end)) / 2, 0);

test('the rows up to the point are there, those of the backup and those of the log, and none after it', async () => {
  const row = lastRow(writes, middle());
  const point = tsoAt(writes.since + row * writes.everyMs, 0);
  const { code, stdout } = await restore(point);
  expect(code).toBe(0);
  await expectRowsOf(point);
  expect((await clusterDigests(target()))['shop.ticks']?.lastRow).toBe(row);
  const full = fieldsOf(stdout, 'Full Restore success summary');
  expect(full.BackupTS).toBe(String(backupTs));
  expect(fieldsOf(stdout, 'restore log success summary')).toMatchObject({
    'source-start-point': String(backupTs),
    'source-end-point': String(point),
    'skipped-kv-count-by-checkpoint': '0',
  });
  const steps = readLines(stdout).flatMap(({ message, fields }) => (message === 'progress' ? [fields.step] : []));
  expect([...new Set(steps)]).toEqual(['Full Restore', 'Restore Meta Files', 'Restore Files(SST + KV)']);
  expect(await target().readState()).toMatchObject({
    gcRatioThreshold: 1.1,
    importModeUntil: 0,
    schedulersPausedUntil: 0,
    restoresUntil: {},
  });
  expect((await target().databases()).filter((db) => db.startsWith('__'))).toEqual([]);
});

test('just before a row, that row is not there', async () => {
  const row = lastRow(writes, middle());
  await restore(tsoAt(writes.since + row * writes.everyMs, 0) - 1n);
  expect((await clusterDigests(target()))['shop.ticks']?.lastRow).toBe(row - 1);
});

test.each([
  ['the end of the log', () => end],
  ['the time of the backup', () => backupTs],
])('a point may be %s', async (_, point) => {
  expect((await restore(point())).code).toBe(0);
  await expectRowsOf(point());
});

test('without a point, all of the log comes back, with changes by people and tables younger than the backup', async () => {
  expect((await restore(undefined)).code).toBe(0);
  await expectRowsOf(end);
  expect((await target().readTable(ORDERS))?.rows.get(7)).toBe('after');
  expect(await target().readTable({ db: 'crm', table: 'young' })).toEqual({
    columns: 'id\tvalue',
    rows: new Map([[1, 'one']]),
  });
});

test('a point before the first row has none', async () => {
  const later = { ...writes, table: 'later', since: Date.now() };
  await source().changeState(() => ({ writes: later }));
  const before = tsoAt(later.since - 1);
  await vi.waitFor(async () => {
    await br('log', 'status', '--pd', SOURCE_PD);
    expect(lastRow(later, BigInt((await source().readState()).logTask?.checkpoint ?? 0))).toBeGreaterThan(0);
  });
  expect((await restore(before)).code).toBe(0);
  expect((await clusterDigests(target()))['shop.later']).toBeUndefined();
});

test('times that the log does not reach, and a log that begins after the backup, are refused without a summary', async () => {
  const beyond = await restore(end + 1n);
  expect(beyond).toMatchObject({
    code: 1,
    error: `restore log from ${tsoText(backupTs)} to ${tsoText(end + 1n)},  but the current existed log from ${tsoText(start)} to ${tsoText(end)}: [BR:Common:ErrInvalidArgument]invalid argument`,
  });
  expect(beyond.stdout).not.toContain('summary');
  expect((await restore(backupTs - 1n)).error).toContain(`to ${tsoText(backupTs - 1n)},  but the current existed log`);
  await br('log', 'truncate', '-y', '--until', String(backupTs + 1n), '--storage', at('log'));
  expect((await restore(end)).error).toBe(
    `it has gap between full backup ts:${tsoText(backupTs)} and log backup ts:${tsoText(backupTs + 1n)}. : [BR:Common:ErrInvalidArgument]invalid argument`,
  );
  expect(await target().tables('shop')).toEqual([]);
});

test('a backup and a log of two clusters, exchanged storages, and those that are not there, are refused', async () => {
  await br('backup', 'full', '--pd', '10.0.0.3:2379', '--storage', at('foreign'));
  expect((await restore(end, { full: 'foreign' })).error).toMatch(
    /^the full snapshot\(from cluster ID:\d+\) and log\(from cluster ID:\d+\) come from different cluster\.: \[BR:Common:ErrInvalidArgument\]/,
  );
  expect((await restore(end, { full: 'log', log: 'full' })).error).toBe(
    'the storage has been used for full backup: [BR:ExternalStorage:ErrStorageUnknown]unknown external storage error',
  );
  expect((await restore(end, { full: 'none' })).error).toBe(
    `open ${storage.root}/none/backupmeta: no such file or directory`,
  );
  const alone = ['restore', 'point', '--pd', TARGET_PD, '--storage', at('log'), '--restored-ts', String(end)];
  expect((await br(...alone)).stderr).toContain(`Error: restore log from 0(1970-01-01 00:00:00 +0000 UTC) to `);
  expect((await br(...alone, '--start-ts', String(backupTs))).stderr).toContain('Error: no base id map found');
  expect((await restore(end, { more: ['--start-ts', String(backupTs)] })).error).toContain('are mutually exclusive');
});

test('user tables and a log task of the target are refused, and nothing is paused', async () => {
  await perform(TARGET_PD, { verb: 'insert', name: ORDERS, handle: 1, value: 'own' });
  const { code, error, stdout } = await restore(end);
  expect([code, error]).toEqual([
    1,
    'user db/tables: shop.orders: [BR:Restore:ErrRestoreNotFreshCluster]cluster is not fresh',
  ]);
  expect(messages(stdout)).toContain('Full Restore failed summary');
  expect(stdout).toContain('# the target cluster is not fresh, cannot restore.\n');
  expect(await target().readState()).toMatchObject({ schedulersPausedUntil: 0, importModeUntil: 0, restoresUntil: {} });
  await br('log', 'start', '--task-name', 'own', '--pd', TARGET_PD, '--storage', at('own-log'));
  expect((await restore(end)).error).toContain('failed to check task exists: log backup task is running: own, ');
});

test.each(['tables', 'files', 'checksum', 'system-tables', 'snapshot-summary', 'log-files', 'summary'])(
  'killed at %s, the same command goes on, and the rows are those of the point',
  async (step) => {
    const point = middle();
    storage.script({ restore: { outcome: { kind: 'crash', step, at: 0.5 } } });
    expect((await started(point).ended).signal).toBe('SIGKILL');
    const inLog = step === 'log-files' || step === 'summary';
    expect((await target().databases()).includes(LOG_CHECKPOINT_DATABASE)).toBe(inLog);
    storage.script({});
    const { code, stdout } = await restore(point);
    expect(code).toBe(0);
    expect(stdout.includes('\nFull Restore command is skipped due to checkpoint mode for restore\n')).toBe(inLog);
    expect(messages(stdout).includes('Full Restore success summary')).toBe(!inLog);
    await expectRowsOf(point);
    expect((await target().readState()).gcRatioThreshold).toBe(1.1);
    expect((await target().databases()).filter((db) => db.startsWith('__'))).toEqual([]);
  },
);

test.each([
  ['files', 'Full Restore failed summary'],
  ['log-files', 'restore log failed summary'],
])('a TERM at %s cancels it, and it can be gone on with', async (step, summary) => {
  storage.script({ restore: { outcome: { kind: 'hang', step, at: 0.5 } } });
  const run = started(end);
  const checkpoint = step === 'files' ? CHECKPOINT_DATABASE : LOG_CHECKPOINT_DATABASE;
  const flushed = async () => (await target().readTable({ db: checkpoint, table: 'cpt_data' }))?.rows.size ?? 0;
  await vi.waitFor(async () => expect(await flushed()).toBeGreaterThan(1), { timeout: 20_000, interval: 20 });
  run.child.kill('SIGTERM');
  const { code, stdout, stderr } = await run.ended;
  expect(code).toBe(1);
  expect(stderr).toContain('Error: rpc error: code = Canceled desc = context canceled\n');
  expect(messages(stdout).filter((message) => message.includes('failed summary'))).toEqual([summary]);
  expect((await target().readState()).gcRatioThreshold).toBe(step === 'files' ? 1.1 : -1);
  storage.script({});
  const again = await restore(end);
  expect(again.code).toBe(0);
  await expectRowsOf(end);
  expect((await target().readState()).gcRatioThreshold).toBe(1.1);
  if (step === 'files') return;
  const { 'skipped-kv-count-by-checkpoint': skipped } = fieldsOf(again.stdout, 'restore log success summary');
  expect(Number(skipped)).toBeGreaterThan(0);
});

test('a restore whose log was begun is gone on with to its own point alone', async () => {
  storage.script({ restore: { outcome: { kind: 'fail', step: 'log-files', message: 'region 4 is away', at: 0.5 } } });
  const failed = await restore(middle());
  expect(failed.error).toBe('region 4 is away');
  expect(fieldsOf(failed.stdout, 'restore log failed summary').error).toBe('region 4 is away');
  storage.script({});
  expect((await restore(end)).error).toContain(
    `The current log restore want to restore cluster from ${backupTs} to ${end}, which is different from that from ${backupTs} to ${middle()} recorded in checkpoint. `,
  );
  expect((await restore(middle())).code).toBe(0);
});

test('without a checkpoint a failure puts the garbage collection and the schedulers back', async () => {
  storage.script({ restore: { outcome: { kind: 'fail', name: 'unavailable', step: 'log-files' } } });
  const { error } = await restore(end, { more: ['--use-checkpoint=false'] });
  expect(error).toContain('rpc error: code = Unavailable');
  expect(await target().readState()).toMatchObject({ gcRatioThreshold: 1.1, schedulersPausedUntil: 0 });
});

test.each([
  ['is gone', 'v1', '.log', (file: string) => rmSync(file), 'kind: NotFound'],
  ['was cut', 'v1', '.log', (file: string) => writeFileSync(file, readFileSync(file).subarray(9)), 'sha256 not match'],
  [
    'was cut',
    'v1/backupmeta',
    '.meta',
    (file: string) => writeFileSync(file, readFileSync(file).subarray(9)),
    '[BR:Common:ErrInvalidMetaFile]invalid metafile',
  ],
])('a file of the log that %s (%s/*%s) ends it, and it is gone on with once the file is back', async (...args) => {
  const [, folder, ending, damage, text] = args;
  const file = files(folder, ending).at(-1) ?? '';
  const body = readFileSync(file);
  damage(file);
  const { code, error } = await restore(end);
  expect(code).toBe(1);
  expect(error).toContain(text);
  writeFileSync(file, body);
  expect((await restore(end)).code).toBe(0);
  await expectRowsOf(end);
});
