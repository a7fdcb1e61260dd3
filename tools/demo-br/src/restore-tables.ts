import type { File } from '@tidemark/protocol/br/backup';
import type { BackupContent, BackupTable } from './backup-content.ts';
import { BrError } from './br-error.ts';
import { endWrites } from './end-writes.ts';
import { failAtStage } from './fail-at-stage.ts';
import { goDuration } from './go-format.ts';
import { misbehave } from './misbehave.ts';
import type { RestoreStep } from './outcome.ts';
import type { RestoreCheckpoint, RestoredWork } from './restore-checkpoint.ts';
import { logCreated, logCreating, logPrepared, logSafePointEnd, logStage } from './restore-log.ts';
import { RESTORE_NAMES } from './restore-options.ts';
import { type RestoreProgress, singleStep, stepsByWork } from './restore-progress.ts';
import { ingestRegions, type RestoreRegion, restoreRegions } from './restore-regions.ts';
import type { RestoreRun } from './restore-run.ts';
import { compareSums } from './restore-sums.ts';
import { restoreSystemTables } from './restore-system-tables.ts';
import { fullName } from './table.ts';
import { existingTables } from './target-names.ts';

export interface TablesWork {
  readonly content: BackupContent;
  readonly backupTs: bigint;
  readonly checkpoint: RestoreCheckpoint | undefined;
  /** What earlier runs did. */
  readonly earlier: RestoredWork;
}

/**
 * Everything that changes tables of the target: creates them, loads and compares their rows, merges system tables.
 *
 * @returns the files of all tables
 */
export async function restoreTables(run: RestoreRun, work: TablesWork): Promise<File[]> {
  const { options, dialect, log, collector, signal } = run;
  const { content, backupTs } = work;
  const created = await createTables(run, content);
  await failAtStage('tables', run);
  await atStep(run, 'tables');
  const regions = restoreRegions(content.tables);
  const files = regions.flatMap((region) => region.files);
  collector.add('restore-ranges', regions.length);
  logPrepared(log, { files: files.length, ranges: regions.length }, backupTs);
  const tables = options.checksum ? content.tables.length : 0;
  const workload = { ranges: regions.length, files: files.length, tables };
  try {
    using progress = dialect.stepsByWork
      ? stepsByWork(run.progress, workload)
      : singleStep(run.progress, RESTORE_NAMES[options.kind], workload);
    try {
      await loadRows(run, { ...work, created, regions, progress });
    } catch (error) {
      if (!signal.aborted) progress.fill();
      throw error;
    }
  } finally {
    logSafePointEnd(log);
  }
  log.info('checkpoint.go:506', 'stop checkpoint runner');
  return files;
}

/** Does what an outcome demands at a step. */
async function atStep(run: RestoreRun, step: RestoreStep): Promise<void> {
  const { outcome } = run.script;
  if (outcome.step === step) await misbehave(outcome, run);
}

/**
 * Creates databases and tables, as far as they are not there.
 *
 * @returns the full names of the tables that were not there
 */
async function createTables({ target, log, signal }: RestoreRun, content: BackupContent): Promise<ReadonlySet<string>> {
  const startedAt = performance.now();
  logCreating(log, content);
  const { databases, tables } = content;
  const created = await target.alone(signal, async () => {
    const { writes } = await target.readState();
    if (writes && tables.some((table) => fullName(table) === fullName(writes))) await endWrites(target);
    for (const db of databases) await target.createDatabase(db);
    const existing = new Set((await existingTables(target, tables)).map(fullName));
    const missing = tables.filter((table) => !existing.has(fullName(table)));
    for (const table of missing) await target.writeTable(table, { columns: table.columns, rows: new Map() });
    return new Set(missing.map(fullName));
  });
  logCreated(log, tables.length, performance.now() - startedAt);
  return created;
}

interface LoadWork extends TablesWork {
  /** Full names of tables that this run created: nothing of them is done. */
  readonly created: ReadonlySet<string>;
  readonly regions: readonly RestoreRegion[];
  readonly progress: RestoreProgress;
}

async function loadRows(run: RestoreRun, work: LoadWork): Promise<void> {
  const { options, log, collector } = run;
  const { content, checkpoint, earlier, created, regions, progress } = work;
  await checkColumns(run, content.tables);
  const startedAt = performance.now();
  for (const stage of ['merge ranges', 'split regions'] as const) logStage(log, stage, performance.now() - startedAt);
  const flushed = new Set(earlier.regions);
  const done = regions.filter(({ key, table }) => flushed.has(key) && !created.has(fullName(table)));
  try {
    await loadFiles(run, { regions, done: new Set(done.map(({ key }) => key)), checkpoint, progress });
  } catch (error) {
    collector.fail('file', run.signal.aborted ? new BrError(CANCELED) : (error as Error));
    throw error;
  }
  logStage(log, 'restore files', performance.now() - startedAt);
  const files = content.tables.reduce((sum, table) => sum + table.files.length, 0);
  collector.succeed(files);
  await atStep(run, 'checksum');
  if (options.checksum) {
    collector.succeed(files + content.tables.length);
    const compared = new Set(earlier.tables.filter((name) => !created.has(name)));
    await compareSums(run, content.tables, { compared, checkpoint, progress });
  }
  await failAtStage('end', run);
  await atStep(run, 'system-tables');
  await restoreSystemTables(run, content.tables);
}

/** What every error becomes after a signal in the middle of the work. */
export const CANCELED = 'rpc error: code = Canceled desc = context canceled';

async function loadFiles(
  run: RestoreRun,
  work: { regions: readonly RestoreRegion[]; done: ReadonlySet<string> } & Pick<LoadWork, 'checkpoint' | 'progress'>,
): Promise<void> {
  const { log, script } = run;
  const startedAt = performance.now();
  let awayUntil = 0;
  log.info('restorer.go:257', 'Restore files');
  await ingestRegions(run, {
    ...work,
    isAway: () => performance.now() < awayUntil,
    async halfway() {
      await failAtStage('work', run);
      await atStep(run, 'files');
      const { kind, awaySeconds } = script.outcome;
      if (kind === 'download-fails') awayUntil = performance.now() + awaySeconds * 1000;
    },
  });
  log.info('restorer.go:285', 'import files done', [['take', goDuration(performance.now() - startedAt)]]);
}

/** @throws BrError if a table that was there has other columns than that of the backup; nothing is written then */
async function checkColumns({ target, log }: RestoreRun, tables: readonly BackupTable[]): Promise<void> {
  for (const table of tables) {
    const { columns } = (await target.readTable(table)) ?? table;
    if (columns === table.columns) continue;
    log.errorLine('rewrite_rule.go:186', 'cannot find rewrite rule for file start key', [['tableID', table.id]]);
    throw new BrError('cannot find rewrite rule', 'BR:Restore:ErrRestoreInvalidRewrite');
  }
}
