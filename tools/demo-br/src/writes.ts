import type { RowChange } from './log-state.ts';
import type { Table, TableName } from './table.ts';
import { tsoAt, tsoMillis } from './tso.ts';

// W1. Row n is written at since + n × everyMs: what a cluster holds of them is a function of the time, and nothing runs.
// W2. It has the handle n modulo KEPT_ROWS, and takes the place of the row that had it, so a cluster of any age stays small.

/** Rows that a demo cluster writes into a table of its own. */
export interface Writes extends TableName {
  /** Milliseconds between two rows. */
  readonly everyMs: number;
  /** When row 0 is written, in Unix milliseconds; before, the table is not there. */
  readonly since: number;
}

/** So many of the last rows are there. */
export const KEPT_ROWS = 10_000;

const COLUMNS = 'id\tvalue';
const VALUE = /^row (\d+) of /;

/** The number of the last row that was written up to a TSO; -1 if there is none. */
export function lastRow({ everyMs, since }: Writes, at: bigint): number {
  return Math.max(-1, Math.floor((tsoMillis(at) - since) / everyMs));
}

/** The number of the last row among rows that were written so, wherever they are now; -1 if there is none. */
export function lastRowOf({ rows }: Pick<Table, 'rows'>): number {
  return [...rows.values()].reduce((last, value) => Math.max(last, Number(VALUE.exec(value)?.[1] ?? -1)), -1);
}

/** The table as of a TSO; undefined before its first row. */
export function writtenTable(writes: Writes, at: bigint): Table | undefined {
  const last = lastRow(writes, at);
  if (last < 0) return undefined;
  const first = Math.max(0, last + 1 - KEPT_ROWS);
  const numbers = Array.from({ length: last + 1 - first }, (_, index) => first + index);
  return { columns: COLUMNS, rows: new Map(numbers.map((row) => [row % KEPT_ROWS, rowText(writes, row)])) };
}

/** What was written after a TSO and up to another one, the first first. */
export function writtenChanges(writes: Writes, after: bigint, until: bigint): RowChange[] {
  const { db, table, everyMs, since } = writes;
  const first = lastRow(writes, after) + 1;
  return Array.from({ length: Math.max(0, lastRow(writes, until) + 1 - first) }, (_, index) => {
    const row = first + index;
    const ts = String(tsoAt(since + row * everyMs, 0));
    return { db, table, ts, handle: row % KEPT_ROWS, value: rowText(writes, row) };
  });
}

function rowText({ everyMs, since }: Writes, row: number): string {
  return `row ${row} of ${new Date(since + row * everyMs).toISOString()}`;
}

/** Changes in the order of their times. */
export function inOrder(changes: readonly RowChange[]): RowChange[] {
  return changes.toSorted((one, other) => Number(BigInt(one.ts) - BigInt(other.ts)));
}
