import type { BackupTable } from './backup-content.ts';
import { BrError } from './br-error.ts';
import type { RestoreCheckpoint } from './restore-checkpoint.ts';
import type { RestoreProgress } from './restore-progress.ts';
import type { RestoreRun } from './restore-run.ts';
import { fullName, type RowSum, sumRows } from './table.ts';

/**
 * Compares the sums of tables with those of the backup, all of them before it says that one differs. A table without a sum
 * is passed over, and so is one that an earlier run compared.
 *
 * @param compared full names of those
 * @throws BrError if a table differs
 */
export async function compareSums(
  run: RestoreRun,
  tables: readonly BackupTable[],
  {
    compared,
    checkpoint,
    progress,
  }: {
    compared: ReadonlySet<string>;
    checkpoint: RestoreCheckpoint | undefined;
    progress: RestoreProgress;
  },
): Promise<void> {
  const { log, signal } = run;
  log.info('pipeline_items.go:113', 'Start to validate checksum');
  log.info('pipeline_items.go:142', 'Start to update meta then load stats');
  const [without, others] = [tables.filter((table) => !hasSum(table)), tables.filter(hasSum)];
  for (const { db, table } of without) {
    log.warn('client.go:1056', 'table has no checksum, skipping checksum', [
      ['db', db],
      ['table', table],
    ]);
    progress.compare(1);
  }
  const different: BackupTable[] = [];
  for (const table of others) {
    signal.throwIfAborted();
    if (compared.has(fullName(table)) || (await isEqual(run, table))) {
      log.info('client.go:1118', 'success in validating checksum', [
        ['db', table.db],
        ['table', table.table],
      ]);
      await checkpoint?.flush({ regions: [], tables: [fullName(table)] }, signal);
    } else {
      different.push(table);
    }
    progress.compare(1);
  }
  const isTold = run.script.outcome.kind === 'checksum-mismatch';
  if (different.length > 0 || isTold) {
    for (const table of different) await logDifference(run, table);
    log.info('pipeline_items.go:129', 'all checksum ended');
    throw new BrError('failed to validate checksum', 'BR:Restore:ErrRestoreChecksumMismatch');
  }
  log.info('pipeline_items.go:129', 'all checksum ended');
  log.info('pipeline_items.go:191', 'all stats updated');
}

const hasSum = ({ sum }: BackupTable): boolean => sum.totalKvs > 0n;

/** Of a table that was dropped meanwhile too: its keys stay until TiKV collects them, and are those of the backup. */
async function sumInTarget({ target }: RestoreRun, table: BackupTable): Promise<RowSum> {
  const found = await target.readTable(table);
  return found === undefined ? table.sum : sumRows(found.rows);
}

async function isEqual(run: RestoreRun, table: BackupTable): Promise<boolean> {
  const { crc64xor, totalKvs, totalBytes } = await sumInTarget(run, table);
  const { sum } = table;
  return crc64xor === sum.crc64xor && totalKvs === sum.totalKvs && totalBytes === sum.totalBytes;
}

async function logDifference(run: RestoreRun, table: BackupTable): Promise<void> {
  const found = await sumInTarget(run, table);
  const { sum } = table;
  // BR's line has the stack of its own, and no error.
  run.log.errorLine('client.go:1108', 'failed in validate checksum', [
    ['db', table.db],
    ['table', table.table],
    ['expected tidb crc64', sum.crc64xor],
    ['calculated crc64', found.crc64xor],
    ['expected tidb total kvs', sum.totalKvs],
    ['calculated total kvs', found.totalKvs],
    ['expected tidb total bytes', sum.totalBytes],
    ['calculated total bytes', found.totalBytes],
  ]);
}
