import type { File } from '@tidemark/protocol/br/backup';
import { goDuration, humanSize } from './go-format.ts';
import type { Fields } from './log-line.ts';
import { tsoAt } from './tso.ts';

/** What a successful restore amounts to. */
export interface RestoreTotals {
  /** Those of earlier runs too; none if the filters let nothing through. */
  readonly files: readonly File[];
  readonly backupTs: bigint;
  /** Of this run, in milliseconds. */
  readonly tookMs: number;
}

/**
 * The fields of the success summary after those that both summaries have. In the real one they come
 * in random order; here the data fields start at a place that `turn` says.
 */
export function restoreFields({ files, backupTs, tookMs }: RestoreTotals, now: number, turn: number): Fields {
  const sum = (of: (file: File) => bigint) => files.reduce((total, file) => total + of(file), 0n);
  const size = sum((file) => file.size);
  const kvSize = Number(sum((file) => file.totalBytes));
  const rows: Fields = [
    ['total-kv', sum((file) => file.totalKvs)],
    ['total-kv-size', humanSize(kvSize)],
    ['average-speed', `${humanSize(kvSize / Math.max(0.001, tookMs / 1000))}/s`],
  ];
  const data: Fields = [
    ['Size', size],
    ['BackupTS', backupTs],
    ['RestoreTS', tsoAt(now)],
    ...(files.length === 0 ? [] : rows),
    ['restore-data-size(after-compressed)', humanSize(Number(size))],
  ];
  const start = turn % data.length;
  return [['total-take', goDuration(tookMs)], ...data.slice(start), ...data.slice(0, start)];
}
