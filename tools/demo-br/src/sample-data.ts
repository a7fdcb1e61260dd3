import { createHash } from 'node:crypto';
import { filtered, REGION_HANDLES, type Region, type RegionFile, regionAt, type SourceTable } from './regions.ts';
import type { Table, TableName } from './table.ts';

const COLUMNS = 'id\tvalue';

/** The tables that a cluster has which nobody has touched. */
export const SAMPLE_TABLES: readonly SourceTable[] = [
  { id: 104, db: 'shop', table: 'orders', columns: COLUMNS },
  { id: 106, db: 'shop', table: 'customers', columns: COLUMNS },
  { id: 108, db: 'shop', table: 'products', columns: COLUMNS },
  { id: 112, db: 'crm', table: 'contacts', columns: COLUMNS },
  { id: 10, db: 'mysql', table: 'user', columns: COLUMNS },
];
/** Its database without a table. */
export const EMPTY_DATABASE = 'test';

/** Bytes of a row's line. */
const SHORT_ROW_BYTES = 100;
const LONG_ROW_BYTES = 1_000;

/** How much such a cluster holds. */
export interface SampleSize {
  readonly regions: number;
  readonly bytesPerFile: number;
}

/**
 * The regions of the sample tables that the filters let through, dealt out evenly; none if they let nothing through. What
 * they hold depends on nothing but table, place and size: two backups of one cluster have the same rows.
 */
export function sampleRegions({ regions, bytesPerFile }: SampleSize, filters: readonly string[]): Region[] {
  const tables = filtered(SAMPLE_TABLES, filters);
  return Array.from({ length: tables.length === 0 ? 0 : regions }, (_, index) => {
    const table = tables[index % tables.length] as SourceTable;
    const start = Math.floor(index / tables.length) * REGION_HANDLES;
    return regionAt(index, { table, start }, () => sampleFiles(table, { index, start, bytesPerFile }));
  });
}

/** The tables as such, each whole. */
export function sampleTables(size: SampleSize): Array<TableName & Table> {
  const regions = sampleRegions(size, ['*.*']);
  return SAMPLE_TABLES.map(({ db, table, columns, id }) => {
    const own = regions.filter((region) => region.table.id === id).flatMap((region) => region.files());
    return { db, table, columns, rows: new Map(own.flatMap(({ rows }) => [...rows])) };
  });
}

/** One file of short rows, and for every third region one of long rows too. */
function sampleFiles(
  table: TableName,
  { index, start, bytesPerFile }: { index: number; start: number; bytesPerFile: number },
): RegionFile[] {
  const seed = `${table.db}.${table.table}/${start}`;
  const files: RegionFile[] = [
    { cf: 'write', rows: sampleRows(`${seed}/write`, { start, bytes: bytesPerFile, rowBytes: SHORT_ROW_BYTES }) },
  ];
  if (index % 3 !== 1) return files;
  const middle = start + REGION_HANDLES / 2;
  const long = { start: middle, bytes: bytesPerFile, rowBytes: LONG_ROW_BYTES };
  return [...files, { cf: 'default', rows: sampleRows(`${seed}/default`, long) }];
}

/**
 * Rows whose lines have so many bytes together. The last one is shorter or, where no further line would fit, longer; there
 * is at least one.
 */
function sampleRows(
  seed: string,
  { start, bytes, rowBytes }: { start: number; bytes: number; rowBytes: number },
): Map<number, string> {
  const text = createHash('shake256', { outputLength: Math.max(1, bytes) })
    .update(seed)
    .digest('base64');
  const rows = new Map<number, string>();
  const most = REGION_HANDLES / 2;
  for (let handle = start, left = bytes; rows.size === 0 || left > 0; handle += 1) {
    const around = `${handle}\t\n`.length;
    const isLast = left <= rowBytes + around || rows.size === most - 1;
    const length = Math.max(0, (isLast ? left : rowBytes) - around);
    rows.set(handle, text.slice(bytes - left, bytes - left + length));
    left -= length + around;
  }
  return rows;
}
