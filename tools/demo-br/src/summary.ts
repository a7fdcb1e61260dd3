import type { File } from '@tidemark/protocol/br/backup';
import { goDuration, humanSize } from './go-format.ts';
import type { Fields } from './log-line.ts';

/** What a successful backup amounts to. */
export interface BackupTotals {
  readonly files: readonly File[];
  readonly backupTs: bigint;
  /** Of all runs in this path, in milliseconds. */
  readonly tookMs: number;
}

/**
 * The fields of the success summary after those that both summaries have (br-contract 3.5). In the real one they come
 * in random order; here the data fields start at a place that `turn` says.
 */
export function successFields({ files, backupTs, tookMs }: BackupTotals, turn: number): Fields {
  const took = ['total-take', goDuration(tookMs)] as const;
  if (files.length === 0) return [took, ['BackupTS', backupTs]];

  const sum = (of: (file: File) => bigint) => files.reduce((total, file) => total + of(file), 0n);
  const size = sum((file) => file.size);
  const kvSize = Number(sum((file) => file.totalBytes));
  const data: Fields = [
    ['BackupTS', backupTs],
    ['total-kv', sum((file) => file.totalKvs)],
    ['total-kv-size', humanSize(kvSize)],
    ['average-speed', `${humanSize(kvSize / Math.max(0.001, tookMs / 1000))}/s`],
    ['backup-data-size(after-compressed)', humanSize(Number(size))],
    ['Size', size],
  ];
  const start = turn % data.length;
  return [took, ...data.slice(start), ...data.slice(0, start)];
}
