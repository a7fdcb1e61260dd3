import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { clusterDigests } from './cluster-digests.ts';
import { performTask } from './demo-cluster-task.ts';
import { LOG_CHECKPOINT_DATABASE } from './log-checkpoint.ts';
import { fieldsOf, readLines, TARGET_PD } from './test-run.ts';
import { type PointStorage, type PointWorld, pointStorage, preparePointWorld } from './testing/point-world.ts';
import { tsoAt, tsoMillis, tsoText } from './tso.ts';
import { lastRow } from './writes.ts';

// `br restore point`, seen from outside: which rows are there then, what it refuses, and how it goes on.

let world: PointWorld;
let point: PointStorage;
beforeAll(async () => {
  world = await preparePointWorld();
}, 60_000);
afterAll(() => world.prepared[Symbol.asyncDispose]());
beforeEach(() => {
  point = pointStorage(world);
});
afterEach(() => point[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;
const ORDERS = { db: 'shop', table: 'orders' };
const messages = (stdout: string) => readLines(stdout).map(({ message }) => message);
/** The time of a row in the middle of the log. */
const middle = () => {
  const { writes, backupTs, end } = world;
  const row = lastRow(writes, tsoAt((tsoMillis(backupTs) + tsoMillis(end)) / 2));
  return { row, ts: tsoAt(writes.since + row * writes.everyMs, 0) };
};

test('the rows up to the point are there, those of the backup and those of the log, and none after it', async () => {
  const { row, ts } = middle();
  const { code, stdout } = await point.restore(ts);
  expect(code).toBe(0);
  await point.expectRowsOf(ts);
  expect((await clusterDigests(point.target))['shop.ticks']?.lastRow).toBe(row);
  expect(fieldsOf(stdout, 'Full Restore success summary').BackupTS).toBe(String(world.backupTs));
  expect(fieldsOf(stdout, 'restore log success summary')).toMatchObject({
    'source-start-point': String(world.backupTs),
    'source-end-point': String(ts),
    'skipped-kv-count-by-checkpoint': '0',
  });
  const steps = readLines(stdout).flatMap(({ message, fields }) => (message === 'progress' ? [fields.step] : []));
  expect([...new Set(steps)]).toEqual(['Full Restore', 'Restore Meta Files', 'Restore Files(SST + KV)']);
});

test('a success leaves nothing but the tables', async () => {
  await point.restore(world.end);
  expect(await point.target.readState()).toMatchObject({
    gcRatioThreshold: 1.1,
    importModeUntil: 0,
    schedulersPausedUntil: 0,
    restoresUntil: {},
  });
  expect((await point.target.databases()).filter((db) => db.startsWith('__'))).toEqual([]);
});

test('just before a row, that row is not there', async () => {
  const { row, ts } = middle();
  await point.restore(ts - 1n);
  expect((await clusterDigests(point.target))['shop.ticks']?.lastRow).toBe(row - 1);
});

test('without a point, all of the log comes back, with changes by people and tables younger than the backup', async () => {
  expect((await point.restore(undefined)).code).toBe(0);
  await point.expectRowsOf(world.end);
  expect((await point.target.readTable(ORDERS))?.rows.get(7)).toBe('after');
  expect(await point.target.readTable({ db: 'crm', table: 'young' })).toEqual({
    columns: 'id\tvalue',
    rows: new Map([[1, 'one']]),
  });
});

test('at the time of the backup, there is what the backup holds', async () => {
  expect((await point.restore(world.backupTs)).code).toBe(0);
  await point.expectRowsOf(world.backupTs);
  expect((await point.target.readTable(ORDERS))?.rows.get(7)).toBe('before');
});

test('times that the log does not reach, and a log that begins after the backup, are refused without a summary', async () => {
  const { backupTs, start, end } = world;
  const log = `the current existed log from ${tsoText(start)} to ${tsoText(end)}`;
  const beyond = await point.restore(end + 1n);
  expect(beyond).toMatchObject({
    code: 1,
    error: `restore log from ${tsoText(backupTs)} to ${tsoText(end + 1n)},  but ${log}: [BR:Common:ErrInvalidArgument]invalid argument`,
  });
  expect(beyond.stdout).not.toContain('summary');
  expect((await point.restore(backupTs - 1n)).error).toContain(`to ${tsoText(backupTs - 1n)},  but ${log}`);
  await point.br('log', 'truncate', '-y', '--until', String(backupTs + 1n), '--storage', point.at('log'));
  expect((await point.restore(end)).error).toBe(
    `it has gap between full backup ts:${tsoText(backupTs)} and log backup ts:${tsoText(backupTs + 1n)}. : [BR:Common:ErrInvalidArgument]invalid argument`,
  );
  expect(await point.target.tables('shop')).toEqual([]);
});

test('TSOs are printed as Go prints them', () => {
  expect(tsoText(470_814_552_020_221_956n)).toBe('470814552020221956(2026-11-30 05:03:04.208 +0000 UTC)');
  expect(tsoText(tsoAt(Date.UTC(2026, 0, 1, 10, 20, 30, 400), 0))).toContain('10:20:30.4 +');
  expect(tsoText(0n)).toBe('0(1970-01-01 00:00:00 +0000 UTC)');
});

test('a backup and a log of two clusters, exchanged storages, and those that are not there, are refused', async () => {
  const { backupTs, end } = world;
  await point.br('backup', 'full', '--pd', '10.0.0.3:2379', '--storage', point.at('foreign'));
  expect((await point.restore(end, { full: 'foreign' })).error).toMatch(
    /^the full snapshot\(from cluster ID:\d+\) and log\(from cluster ID:\d+\) come from different cluster\.: \[BR:Common:ErrInvalidArgument\]/,
  );
  expect((await point.restore(end, { full: 'log', log: 'full' })).error).toBe(
    'the storage has been used for full backup: [BR:ExternalStorage:ErrStorageUnknown]unknown external storage error',
  );
  const missing = (name: string) => `open ${point.storage.path(name)}/backupmeta: no such file or directory`;
  expect((await point.restore(end, { full: 'none' })).error).toBe(missing('none'));
  expect((await point.restore(end, { log: 'none' })).error).toBe(missing('none'));
  const alone = ['restore', 'point', '--pd', TARGET_PD, '--storage', point.at('log'), '--restored-ts', String(end)];
  expect((await point.br(...alone)).stderr).toContain('Error: restore log from 0(1970-01-01 00:00:00 +0000 UTC) to ');
  expect((await point.br(...alone, '--start-ts', String(backupTs))).stderr).toContain('Error: no base id map found');
  expect((await point.restore(end, { more: ['--start-ts', String(backupTs)] })).error).toContain('mutually exclusive');
});

test('user tables and a log task of the target are refused, and nothing is paused', async () => {
  const { target } = point;
  await performTask(target, { verb: 'insert', name: ORDERS, handle: 1, value: 'own' }, SIGNAL);
  const { code, error, stdout } = await point.restore(world.end);
  expect([code, error]).toEqual([
    1,
    'user db/tables: shop.orders: [BR:Restore:ErrRestoreNotFreshCluster]cluster is not fresh',
  ]);
  expect(messages(stdout)).toContain('Full Restore failed summary');
  expect(stdout).toContain('# the target cluster is not fresh, cannot restore.\n');
  expect(await target.readState()).toMatchObject({ schedulersPausedUntil: 0, importModeUntil: 0, restoresUntil: {} });
  await point.br('log', 'start', '--task-name', 'own', '--pd', TARGET_PD, '--storage', point.at('own-log'));
  expect((await point.restore(world.end)).error).toContain(
    'failed to check task exists: log backup task is running: own, ',
  );
});

test('killed among the files of the log, it goes on with them, and does not touch the snapshot again', async () => {
  const { ts } = middle();
  point.storage.script({ restore: { outcome: { kind: 'crash', step: 'log-files', at: 0.5 } } });
  expect((await point.start(ts).ended).signal).toBe('SIGKILL');
  expect((await point.target.readState()).gcRatioThreshold).toBe(-1);
  point.storage.script({});
  const { code, stdout } = await point.restore(ts);
  expect(code).toBe(0);
  expect(stdout).toContain('\nFull Restore command is skipped due to checkpoint mode for restore\n');
  expect(messages(stdout)).not.toContain('Full Restore success summary');
  const { 'skipped-kv-count-by-checkpoint': skipped } = fieldsOf(stdout, 'restore log success summary');
  expect(Number(skipped)).toBeGreaterThan(0);
  await point.expectRowsOf(ts);
  expect((await point.target.readState()).gcRatioThreshold).toBe(1.1);
  expect((await point.target.databases()).filter((db) => db.startsWith('__'))).toEqual([]);
});

test('a TERM among the files of the log cancels it, and it can be gone on with', async () => {
  point.storage.script({ restore: { outcome: { kind: 'hang', step: 'log-files', at: 0.5 } } });
  const run = point.start(world.end);
  const flushed = async () =>
    (await point.target.readTable({ db: LOG_CHECKPOINT_DATABASE, table: 'cpt_data' }))?.rows.size ?? 0;
  await vi.waitFor(async () => expect(await flushed()).toBeGreaterThan(1), { timeout: 20_000, interval: 20 });
  run.child.kill('SIGTERM');
  const { code, stdout, stderr } = await run.ended;
  expect(code).toBe(1);
  expect(stderr).toContain('Error: rpc error: code = Canceled desc = context canceled\n');
  expect(messages(stdout).filter((message) => message.endsWith('failed summary'))).toEqual([
    'restore log failed summary',
  ]);
  expect((await point.target.readState()).gcRatioThreshold).toBe(-1);
  point.storage.script({});
  expect((await point.restore(world.end)).code).toBe(0);
  await point.expectRowsOf(world.end);
});

test('a restore whose log was begun is gone on with to its own point alone', async () => {
  const { backupTs, end } = world;
  const { ts } = middle();
  const outcome = { kind: 'fail', step: 'log-files', message: 'region 4 is away', at: 0.5 };
  point.storage.script({ restore: { outcome } });
  const failed = await point.restore(ts);
  expect(failed.error).toBe('region 4 is away');
  expect(fieldsOf(failed.stdout, 'restore log failed summary').error).toBe('region 4 is away');
  point.storage.script({});
  expect((await point.restore(end)).error).toContain(
    `The current log restore want to restore cluster from ${backupTs} to ${end}, which is different from that from ${backupTs} to ${ts} recorded in checkpoint. `,
  );
  expect((await point.restore(ts)).code).toBe(0);
});

test.each([
  ['log file is gone', /\.log$/, (file: string) => rmSync(file), 'kind: NotFound'],
  ['log file was cut', /\.log$/, (file: string) => writeFileSync(file, '{'), 'sha256 not match'],
  ['metadata was cut', /\.meta$/, (file: string) => writeFileSync(file, '{'), 'ErrInvalidMetaFile]invalid metafile'],
])('a point whose %s is not reached', async (_, pattern, damage, text) => {
  const folder = point.storage.path('log/v1');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => pattern.test(name));
  damage(`${folder}/${names.toSorted().at(-1)}`);
  const { code, error } = await point.restore(world.end);
  expect(code).toBe(1);
  expect(error).toContain(text);
});
