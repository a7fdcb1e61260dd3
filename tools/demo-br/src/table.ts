import { hash } from 'node:crypto';

/** A table's name as filters see it. */
export interface TableName {
  readonly db: string;
  readonly table: string;
}

/** What a table of a demo cluster holds. */
export interface Table {
  /** The names of its columns, separated by tabs; the first one is the handle. */
  readonly columns: string;
  /** By handle: the other columns, separated by tabs. */
  readonly rows: ReadonlyMap<number, string>;
}

/** The sum of some rows, the same in any order (the real program sums keys and values with crc64). */
export interface RowSum {
  readonly crc64xor: bigint;
  readonly totalKvs: bigint;
  readonly totalBytes: bigint;
}

const ROW = /(0|[1-9]\d{0,14})\t([^\n]*)\n/y;

/** `db.table`, as messages have it. */
export function fullName({ db, table }: TableName): string {
  return `${db}.${table}`;
}

/** Rows as a table's file and an SST have them: a line each, sorted by handle. */
export function rowLines(rows: ReadonlyMap<number, string>): string {
  return [...rows]
    .toSorted(([a], [b]) => a - b)
    .map(([handle, value]) => `${handle}\t${value}\n`)
    .join('');
}

/** The rows in such lines; undefined if they are anything else. */
export function parseRows(text: string): Map<number, string> | undefined {
  const rows = new Map<number, string>();
  ROW.lastIndex = 0;
  while (ROW.lastIndex < text.length) {
    const [, handle, value] = ROW.exec(text) ?? [];
    if (handle === undefined || value === undefined) return undefined;
    rows.set(Number(handle), value);
  }
  return rows;
}

/** A table as its file has it. */
export function tableText({ columns, rows }: Table): string {
  return `${columns}\n${rowLines(rows)}`;
}

/** The table in such a file; undefined if it is anything else. */
export function parseTable(text: string): Table | undefined {
  const end = text.indexOf('\n');
  const rows = end < 0 ? undefined : parseRows(text.slice(end + 1));
  return rows && { columns: text.slice(0, end), rows };
}

/** The sum of rows of one table. */
export function sumRows(rows: ReadonlyMap<number, string>): RowSum {
  let crc64xor = 0n;
  let bytes = 0;
  for (const [handle, value] of rows) {
    const line = `${handle}\t${value}`;
    crc64xor ^= hash('sha256', line, 'buffer').readBigUInt64BE();
    bytes += KEY_BYTES + Buffer.byteLength(value);
  }
  return { crc64xor, totalKvs: BigInt(rows.size), totalBytes: BigInt(bytes) };
}

/** Of a row's key: `t`, the table's id, `_r`, the handle. */
const KEY_BYTES = 19;

/** The sum of two sets of rows that share no row. */
export function addSums(a: RowSum, b: RowSum): RowSum {
  return {
    crc64xor: a.crc64xor ^ b.crc64xor,
    totalKvs: a.totalKvs + b.totalKvs,
    totalBytes: a.totalBytes + b.totalBytes,
  };
}

export const NO_ROWS: RowSum = { crc64xor: 0n, totalKvs: 0n, totalBytes: 0n };
