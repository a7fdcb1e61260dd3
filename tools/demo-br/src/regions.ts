import type { TableName } from './table.ts';
import { matchesFilters } from './table-filter.ts';

/** A table of the cluster, as a backup knows it. */
export interface SourceTable extends TableName {
  readonly id: number;
  readonly columns: string;
}

/** The rows that go into one file. */
export interface RegionFile {
  /** TiKV keeps short values in its column family `write`, and long ones in `default`. */
  readonly cf: 'write' | 'default';
  readonly rows: ReadonlyMap<number, string>;
}

/** A part of a table; the unit in which a backup proceeds. */
export interface Region {
  readonly id: number;
  readonly table: SourceTable;
  readonly startKey: Buffer;
  readonly endKey: Buffer;
  /** One for each column family that has rows here; none where the table has no row. */
  files(): readonly RegionFile[];
}

/** What a backup reads of a cluster. */
export interface BackupSource {
  /** Those that the filters let through. */
  readonly tables: readonly SourceTable[];
  /** Databases without any table, as far as the filters let them through. */
  readonly emptyDatabases: readonly string[];
  readonly regions: readonly Region[];
  readonly newCollation: boolean;
}

/** How many handles a region spans. */
export const REGION_HANDLES = 10_000;
/** TiKV's limit for a value that stays in `write`. */
const MAX_SHORT_VALUE_BYTES = 255;

/** The key of a row, or of the place where it would be. */
export function rowKey(tableId: number, handle: number): Buffer {
  const key = Buffer.alloc(19);
  key.write('t', 0);
  key.writeBigInt64BE(BigInt(tableId) ^ (-1n << 63n), 1);
  key.write('_r', 9);
  key.writeBigInt64BE(BigInt(handle) ^ (-1n << 63n), 11);
  return key;
}

/** The id of the table that a key belongs to. */
export function tableIdOf(key: Buffer): number {
  return Number(key.readBigInt64BE(1) ^ (-1n << 63n));
}

/** The region number `index` of a backup: `REGION_HANDLES` handles of a table. */
export function regionAt(
  index: number,
  { table, start }: { table: SourceTable; start: number },
  files: () => readonly RegionFile[],
): Region {
  return {
    id: 2 + 4 * index,
    table,
    startKey: rowKey(table.id, start),
    endKey: rowKey(table.id, start + REGION_HANDLES),
    files,
  };
}

/** The regions of tables with these rows, those of all tables in turn; a table without rows has one without files. */
export function regionsOf(
  tables: readonly { readonly table: SourceTable; readonly rows: ReadonlyMap<number, string> }[],
): Region[] {
  return tables
    .flatMap(({ table, rows }) => {
      const parts = Map.groupBy(rows, ([handle]) => handle - (handle % REGION_HANDLES));
      const starts = parts.size === 0 ? [0] : [...parts.keys()];
      return starts.map((start) => ({ table, start, rows: new Map(parts.get(start)) }));
    })
    .toSorted((a, b) => a.start - b.start)
    .map((part, index) => regionAt(index, part, () => splitByLength(part.rows)));
}

function splitByLength(rows: ReadonlyMap<number, string>): RegionFile[] {
  const groups = Map.groupBy(rows, ([, value]) =>
    Buffer.byteLength(value) > MAX_SHORT_VALUE_BYTES ? 'default' : 'write',
  );
  return [...groups].map(([cf, group]) => ({ cf, rows: new Map(group) }));
}

/** The tables that filters let through. */
export function filtered<T extends TableName>(tables: readonly T[], filters: readonly string[]): T[] {
  return tables.filter((table) => matchesFilters(filters, table));
}
