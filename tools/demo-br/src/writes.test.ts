import { afterEach, beforeEach, expect, test } from 'vitest';
import { clusterDigests } from './cluster-digests.ts';
import { performTask } from './demo-cluster-task.ts';
import { SOURCE_PD, TARGET_PD, type TestStorage, testStorage } from './test-run.ts';
import { tsoAt } from './tso.ts';
import { KEPT_ROWS, lastRow, lastRowOf, writtenChanges, writtenTable } from './writes.ts';

// Rows that a demo cluster writes by itself.

const WRITES = { db: 'shop', table: 'ticks', everyMs: 1_000, since: 1_798_761_600_000 };
const after = (ms: number) => tsoAt(WRITES.since + ms, 0);

test('row n is there from since + n × everyMs on, and not a tick before', () => {
  expect(lastRow(WRITES, after(0) - 1n)).toBe(-1);
  expect(writtenTable(WRITES, after(0) - 1n)).toBeUndefined();
  expect(writtenTable(WRITES, after(1_000) - 1n)?.rows).toEqual(new Map([[0, 'row 0 of 2027-01-01T00:00:00.000Z']]));
  expect(writtenTable(WRITES, after(1_000))?.rows.get(1)).toBe('row 1 of 2027-01-01T00:00:01.000Z');
});

test('a table of any age has the last rows alone, of which one is the newest', () => {
  const table = writtenTable(WRITES, after(25_000_000)) ?? { rows: new Map() };
  expect(table.rows.size).toBe(KEPT_ROWS);
  expect(lastRowOf(table)).toBe(25_000);
  expect(table.rows.get(25_000 % KEPT_ROWS)).toMatch(/^row 25000 of /);
});

test('the changes from one time to another turn the table of the one into that of the other', () => {
  for (const [from, to] of [
    [-5_000, 3_500],
    [3_500, 3_500],
    [9_000_000, 12_345_678],
  ] as const) {
    const rows = new Map(writtenTable(WRITES, after(from))?.rows);
    for (const { handle, value = '' } of writtenChanges(WRITES, after(from), after(to))) rows.set(handle, value);
    expect(new Map([...rows].toSorted())).toEqual(
      new Map([...(writtenTable(WRITES, after(to))?.rows ?? [])].toSorted()),
    );
  }
});

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const SIGNAL = new AbortController().signal;
const cluster = () => storage.cluster(SOURCE_PD);
const perform = (task: Parameters<typeof performTask>[1], pd = SOURCE_PD) =>
  performTask(storage.cluster(pd), task, SIGNAL);
const TICKS = { db: 'shop', table: 'ticks' };

test('a cluster writes as soon as it is told to, into a table that nobody else changes', async () => {
  await perform({ verb: 'empty' });
  await perform({ verb: 'write', name: TICKS, everyMs: 60_000 });
  expect(await perform({ verb: 'list' })).toBe('mysql.user: 0 rows\nshop.ticks: 1 rows\ntest');
  expect(await perform({ verb: 'insert', name: TICKS, handle: 1, value: 'x' })).toContain('by itself');
  expect(await perform({ verb: 'delete', name: TICKS, handle: 0 })).toContain('by itself');
  expect((await clusterDigests(cluster()))['shop.ticks']).toMatchObject({ rows: 1, lastRow: 0 });
  expect(await perform({ verb: 'write', name: TICKS, everyMs: 1 })).toBe(
    'There is a shop.ticks already: take another name.',
  );
});

test.each([
  [{ verb: 'write-off' }, 1],
  [{ verb: 'drop', ...TICKS }, 0],
  [{ verb: 'drop', db: 'shop', table: undefined }, 0],
  [{ verb: 'empty' }, 0],
] as const)('%j ends it', async (task, rows) => {
  await perform({ verb: 'empty' });
  await perform({ verb: 'write', name: TICKS, everyMs: 60_000 });
  await perform(task);
  expect((await cluster().readState()).writes).toBeNull();
  expect((await cluster().readTable(TICKS))?.rows.size ?? 0).toBe(rows);
});

test('rows that the log lacks when a table is dropped come into it', async () => {
  await perform({ verb: 'empty' });
  const br = (...argv: string[]) => storage.start(argv).ended;
  await br('log', 'start', '--task-name', 'pitr', '--pd', SOURCE_PD, '--storage', `local://${storage.root}/log`);
  await perform({ verb: 'write', name: TICKS, everyMs: 60_000 });
  await perform({ verb: 'drop', ...TICKS });
  expect((await cluster().readState()).logChanges).toMatchObject([{ ...TICKS, handle: 0 }]);
});

test('a backup has the rows of its time, and a restore over the table ends what the cluster writes', async () => {
  await perform({ verb: 'empty' });
  const since = Date.now() - 90_000;
  await cluster().changeState(() => ({ writes: { ...TICKS, everyMs: 60_000, since } }));
  const then = tsoAt(since + 59_999);
  expect((await storage.backup('x', [`--backupts=${then}`]).ended).code).toBe(0);
  await perform({ verb: 'empty' }, TARGET_PD);
  expect((await storage.restore('x').ended).code).toBe(0);
  const { 'shop.ticks': restored } = await clusterDigests(storage.cluster(TARGET_PD));
  expect(restored).toEqual((await clusterDigests(cluster(), then))['shop.ticks']);
  expect(restored?.lastRow).toBe(0);
  await perform({ verb: 'empty' }, TARGET_PD);
  await storage.cluster(TARGET_PD).changeState(() => ({ writes: { ...TICKS, everyMs: 60_000, since } }));
  const over = await storage.restore('x', ['table', '--db', 'shop', '--table', 'ticks', '--checksum=false']).ended;
  expect(over.code).toBe(0);
  expect((await storage.cluster(TARGET_PD).readState()).writes).toBeNull();
  expect(lastRowOf((await storage.cluster(TARGET_PD).readTable(TICKS)) ?? { rows: new Map() })).toBe(1);
});
