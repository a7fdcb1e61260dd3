import { existsSync, readFileSync } from 'node:fs';

/** A line of the ledger that demo-br keeps: the witness of what really ran. */
export interface LedgerLine {
  readonly event: 'start' | 'end';
  readonly time: number;
  readonly command: 'backup' | 'restore';
  readonly pid: number;
  readonly path: string;
  readonly pd: string;
  /** Of a start: whether no other run for the cluster lived. */
  readonly alone?: boolean;
  /** Of an end: the exit code, or the signal that it was about to die of. */
  readonly exit?: number | string;
}

/** All lines; a file that is not there yet has none. */
export function readLedger(file: string): LedgerLine[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LedgerLine);
}
