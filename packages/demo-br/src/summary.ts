import type { File } from '@tidemark/protocol/br/backup';
import { goDuration, humanSize } from './go-format.ts';
import type { Fields } from './log-line.ts';

/** What a successful backup amounts to. */
export interface BackupTotals {
  readonly regions: number;
  readonly files: readonly File[];
  readonly backupTs: bigint;
  /** Of all runs in this path, in milliseconds. */
  readonly tookMs: number;
  /** How long the sums over the tables took, in milliseconds. */
  readonly checksumMs: number;
  /** Whether `--checksum` was on. */
  readonly checksum: boolean;
}

/**
 * The fields of the success summary (br-contract 3.5). In the real one, all after the first three come in random
 * order; here the data fields start at a place that `turn` says.
 */
export function successFields(totals: BackupTotals, turn: number): Fields {
  const { regions, files, backupTs, tookMs } = totals;
  const sum = (of: (file: File) => bigint) => files.reduce((total, file) => total + of(file), 0n);
  const size = sum((file) => file.size);
  const kvSize = Number(sum((file) => file.totalBytes));
  const took = ['total-take', goDuration(tookMs)] as const;
  const counts: Fields = [
    ['total-ranges', regions],
    ['ranges-succeed', regions],
    ['ranges-failed', 0],
  ];
  if (files.length === 0) return [...counts, took, ['BackupTS', backupTs]];

  const data: Fields = [
    ['BackupTS', backupTs],
    ['total-kv', sum((file) => file.totalKvs)],
    ['total-kv-size', humanSize(kvSize)],
    ['average-speed', `${humanSize(kvSize / Math.max(0.001, tookMs / 1000))}/s`],
    ['backup-data-size(after-compressed)', humanSize(Number(size))],
    ['Size', size],
  ];
  const checksums: Fields = [['backup-checksum', goDuration(totals.checksumMs)]];
  const fast: Fields = totals.checksum ? [['backup-fast-checksum', goDuration(totals.checksumMs / 2)]] : [];
  const start = turn % data.length;
  return [
    ...counts,
    ...checksums,
    ...fast,
    ['backup-total-ranges', regions],
    ['backup-total-regions', regions],
    took,
    ...data.slice(start),
    ...data.slice(0, start),
  ];
}

/** The fields of the failed summary (br-contract 3.6): zeros, whatever was done. */
export const FAILED_FIELDS: Fields = [
  ['total-ranges', 0],
  ['ranges-succeed', 0],
  ['ranges-failed', 0],
];
