import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MetaFile } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ClusterUsageError, parseClusterOptions } from './demo-cluster-options.ts';
import { performTask } from './demo-cluster-task.ts';
import { parseTable, type TableName, tableText } from './table.ts';
import { SOURCE_PD, type TestStorage, testStorage } from './test-run.ts';

// What a demo cluster holds, and what a backup of it therefore has.

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const ORDERS: TableName = { db: 'shop', table: 'orders' };
const SIGNAL = new AbortController().signal;
const perform = (line: string) => {
  const { task } = parseClusterOptions(line.split(' '), { folder: '/', root: '/' });
  if (task.verb === 'help') throw new Error('help');
  return performTask(storage.cluster(SOURCE_PD), task, SIGNAL);
};
const read = (name: string, file: string) => readFileSync(join(storage.path(name), file));

/** The tables and their rows in a backup, and its empty databases. */
async function contentOf(name: string): Promise<Record<string, string>> {
  expect((await storage.backup(name).ended).code).toBe(0);
  const { dataFiles } = MetaFile.decode(read(name, 'backupmeta.datafile.000000001'));
  const { schemas } = MetaFile.decode(read(name, 'backupmeta.schema.000000002'));
  return Object.fromEntries(
    schemas.map(({ db, table }) => {
      const database = JSON.parse(String(db)).db_name.O;
      if (table.length === 0) return [database, ''];
      const { id, name: tableName } = JSON.parse(String(table));
      const own = dataFiles.filter(({ startKey }) => startKey.readBigInt64BE(1) === BigInt(id) - 2n ** 63n);
      return [`${database}.${tableName.O}`, own.map((file) => String(read(name, file.name))).join('')];
    }),
  );
}

test('two backups of a cluster that nobody has touched have the same rows, and leave it untouched', async () => {
  const first = await contentOf('a');
  expect(Object.keys(first)).toEqual([
    'shop.orders',
    'shop.customers',
    'shop.products',
    'crm.contacts',
    '__TiDB_BR_Temporary_mysql.user',
    'test',
  ]);
  expect(first['shop.orders']).toMatch(/^0\t\S+\n1\t\S+\n/);
  expect(await contentOf('b')).toEqual(first);
  expect(await storage.cluster(SOURCE_PD).isTouched()).toBe(false);
});

test('a cluster that was touched holds the sample data, and then what was made of them', async () => {
  const sample = await contentOf('a');
  await perform('insert shop.orders 70001 hello');
  await perform('insert new.table 1 x');
  await perform('drop crm');
  await perform('drop shop.products');
  await perform('delete shop.customers 0');
  const content = await contentOf('b');
  expect(Object.keys(content).toSorted()).toEqual([
    '__TiDB_BR_Temporary_mysql.user',
    'new.table',
    'shop.customers',
    'shop.orders',
    'test',
  ]);
  expect(content['shop.orders']).toBe(`${sample['shop.orders']}70001\thello\n`);
  expect(content['shop.customers']).toBe(sample['shop.customers']?.replace(/^0\t.*\n/, ''));
  expect(content['new.table']).toBe('1\tx\n');
});

test('an empty cluster has the databases of a new one, and a backup of it holds no row', async () => {
  await perform('empty');
  expect(await contentOf('a')).toEqual({ '__TiDB_BR_Temporary_mysql.user': '', test: '' });
  expect(await perform('list')).toBe('mysql.user: 0 rows\ntest');
});

test('an emptied cluster shows nothing of what a restore left', async () => {
  await perform('empty');
  await storage.cluster(SOURCE_PD).changeState(() => ({
    importModeUntil: Date.now() + 600_000,
    schedulersPausedUntil: Date.now() - 1,
  }));
  expect(await perform('list')).toMatch(/^mysql\.user: 0 rows\ntest\nTiKV is in import mode until \S+$/);
  await perform('empty');
  expect(await perform('list')).toBe('mysql.user: 0 rows\ntest');
});

test('a table is a file that people can read and tests can compare', async () => {
  await perform('empty');
  await perform('insert shop.orders 12 twelve');
  await perform('insert shop.orders 7 seven');
  const file = join(storage.cluster(SOURCE_PD).folder, 'shop', 'orders.tsv');
  expect(readFileSync(file, 'utf8')).toBe('id\tvalue\n7\tseven\n12\ttwelve\n');
  expect(await perform('show shop.orders')).toBe('id\tvalue\n7\tseven\n12\ttwelve');
  writeFileSync(file, 'id\tname\tage\n7\tada\t36\n');
  expect((await contentOf('a'))['shop.orders']).toBe('7\tada\t36\n');
});

test('values too long for TiKV’s column family write go into default', async () => {
  await perform('empty');
  await perform(`insert shop.orders 1 ${'x'.repeat(256)}`);
  await perform('insert shop.orders 2 short');
  await contentOf('a');
  const { dataFiles } = MetaFile.decode(read('a', 'backupmeta.datafile.000000001'));
  expect(dataFiles.map(({ cf, totalKvs }) => [cf, totalKvs]).toSorted()).toEqual([
    ['default', 1n],
    ['write', 1n],
  ]);
});

test('people who change one table at the same time lose no row', async () => {
  await perform('empty');
  const ids = Array.from({ length: 12 }, (_, index) => index);
  await Promise.all(ids.map((id) => perform(`insert shop.orders ${id} x`)));
  const table = await storage.cluster(SOURCE_PD).readTable(ORDERS);
  expect([...(table?.rows.keys() ?? [])]).toEqual(ids);
});

test('two that touch a cluster at once make one of it', async () => {
  const cluster = storage.cluster(SOURCE_PD);
  await Promise.all(Array.from({ length: 5 }, () => cluster.touch()));
  expect(await cluster.databases()).toEqual(['crm', 'mysql', 'shop', 'test']);
});

test('a damaged file of a cluster is named', async () => {
  await perform('empty');
  const folder = join(storage.cluster(SOURCE_PD).folder, 'shop');
  mkdirSync(folder);
  writeFileSync(join(folder, 'orders.tsv'), 'id\tvalue\nnot a row\n');
  const { code, stderr } = await storage.backup('a').ended;
  expect(code).toBe(1);
  expect(stderr).toContain(`Error: demo-br: ${folder}/orders.tsv is not a table of a demo cluster\n`);
});

test.each([
  ['move', 'There is no "move": list, empty, show, insert, delete, drop, write.'],
  ['insert shop.orders 1', '"insert" takes 3 words, not 2.'],
  ['write shop.ticks', '"" is no interval: seconds, from 0.001 to 86400.'],
  ['write shop.ticks often', '"often" is no interval: seconds, from 0.001 to 86400.'],
  ['show shop', '"shop" is not DATABASE.TABLE.'],
  ['delete shop.orders -1x', '"-1x" is no ID: a number of at most 15 digits.'],
])('%s is refused with the reason', (line, reason) => {
  const args = line.replace('-1x', '-- -1x').split(' ');
  expect(() => parseClusterOptions(args, { folder: '/', root: '/' })).toThrow(new ClusterUsageError(reason));
});

test('a table of any size is the same after it was written and read', () => {
  const rows = new Map([
    [3, 'c'],
    [1, ''],
    [20, 'a\tb'],
  ]);
  const text = tableText({ columns: 'id\tx\ty', rows });
  expect(text).toBe('id\tx\ty\n1\t\n3\tc\n20\ta\tb\n');
  expect(parseTable(text)).toEqual({ columns: 'id\tx\ty', rows });
  expect(parseTable(`${text}20`)).toBeUndefined();
  expect(parseTable('id')).toBeUndefined();
});
