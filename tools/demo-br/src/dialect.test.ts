import { expect, test } from 'vitest';
import { type Dialect, dialectOf, isFrom, versionNumbers } from './dialect.ts';
import { flagsOf } from './flags.ts';

const VERSIONS = ['v5.4.0', 'v6.5.0', 'v7.5.0', 'v8.1.0', 'v8.5.0', 'v8.5.6'] as const;

/** One value for each of VERSIONS. */
const TABLE: ReadonlyArray<readonly [keyof Dialect, ...unknown[]]> = [
  ['checkpoint', false, true, true, true, true, true],
  ['checkpointNeedsMetaV1', true, true, false, false, false, false],
  ['lock', 'none', 'none', 'removed', 'removed', 'removed', 'left-by-failures'],
  ['checkpointLayout', 'root', 'root', 'backup', 'backup', 'backup', 'backup'],
  ['checkpointSlash', true, true, true, true, false, false],
  ['removesCheckpoint', false, false, true, true, true, true],
  ['hashesWholeConfig', true, true, false, false, false, false],
  ['checksumDefault', true, true, true, true, false, false],
  ['errorStream', 'stdout', 'stderr', 'stderr', 'stderr', 'stderr', 'stderr'],
  ['metaV2Default', false, false, true, true, true, true],
  ['recordsBackupSize', false, false, true, true, true, true],
  ['plainClusterVersion', false, false, false, false, true, true],
  ['bannerOfTwoLines', false, false, false, true, true, true],
  ['progressWithLogFile', 'bar', 'bar', 'bar', 'bar', 'log', 'log'],
  ['majorsAhead', 0, 1, 1, 1, 1, 2],
  ['comparesSumsLast', true, true, true, true, true, false],
  ['alwaysRecordsSums', false, false, false, false, true, true],
  ['idleChecksumTotal', 1, 1, 1, 1, 1, 0],
  ['countsColumnFamilies', false, false, false, false, false, true],
  ['namesEmptyResult', true, true, false, false, false, false],
  ['restoreCheckpoint', 'none', 'none', 'storage', 'storage', 'target', 'target'],
  ['alwaysChecksFresh', false, false, true, true, true, true],
  ['refusesExistingTables', false, false, false, false, false, true],
  ['registersRestores', false, false, false, false, false, true],
  ['stepsByWork', false, false, false, false, false, true],
  ['logStatusTellsState', false, false, false, false, false, true],
  ['systemTablesDefault', false, false, false, true, true, true],
  ['restoreChecksumDefault', true, true, true, true, true, true],
  ['maxConcurrency', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 256, 256, 256, 256],
  ['detectsRegion', false, true, true, true, true, true],
  ['sessionTokenInUrl', false, false, true, true, true, true],
];

test.each(TABLE)('%s, by version', (field, ...values) => {
  expect(VERSIONS.map((version) => dialectOf(version)[field as keyof Dialect])).toEqual(values);
});

test('no difference is left out of the table', () => {
  expect([...TABLE.map(([field]) => field), 'version'].toSorted()).toEqual(Object.keys(dialectOf()).toSorted());
});

test.each([
  ['use-checkpoint', 'v6.5.0'],
  ['s3.role-arn', 'v6.5.0'],
  ['keyspace-name', 'v7.5.0'],
  ['table-concurrency', 'v7.5.0'],
  ['master-key', 'v8.5.0'],
  ['range-limit', 'v8.5.6'],
])('--%s came with %s or between that and the version before', (flag, since) => {
  expect(VERSIONS.map((version) => flagsOf(dialectOf(version)).has(flag))).toEqual(
    VERSIONS.map((version) => isFrom(version, since)),
  );
});

test.each([
  ['with-sys-table', 'v5.4.0'],
  ['use-checkpoint', 'v7.5.0'],
  ['load-stats', 'v8.1.0'],
  ['checkpoint-storage', 'v8.5.6'],
])('--%s of restores came with %s or between that and the version before', (flag, since) => {
  expect(VERSIONS.map((version) => flagsOf(dialectOf(version), 'restore').has(flag))).toEqual(
    VERSIONS.map((version) => isFrom(version, since)),
  );
});

test('backups and restores have flags that the other does not have', () => {
  const dialect = dialectOf('v8.5.0');
  const [backup, restore] = [flagsOf(dialect), flagsOf(dialect, 'restore')];
  for (const flag of ['gcttl', 'compression', 'ignore-stats'])
    expect([backup.has(flag), restore.has(flag)]).toEqual([true, false]);
  for (const flag of ['db', 'table', 'online']) expect([backup.has(flag), restore.has(flag)]).toEqual([false, true]);
});

test('versions compare by their numbers, whatever stands around them', () => {
  expect(versionNumbers('v8.5.0-alpha-31-g12ab')).toEqual([8, 5, 0]);
  expect(versionNumbers('7')).toEqual([7, 0, 0]);
  expect(isFrom('v8.10.0', '8.5.5')).toBe(true);
  expect(isFrom('6.5.0', 'v6.5.1')).toBe(false);
  expect(isFrom('6.5.1', '6.5.1')).toBe(true);
});
