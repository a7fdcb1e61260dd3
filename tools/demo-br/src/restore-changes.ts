import { setTimeout as pause } from 'node:timers/promises';
import { BrError } from './br-error.ts';
import { goDuration, humanSize } from './go-format.ts';
import type { LogCheckpoint, LogOrigin } from './log-checkpoint.ts';
import { type LogFile, readLogFile } from './log-files.ts';
import type { RowChange } from './log-state.ts';
import type { LogStorage } from './log-storage.ts';
import { dateOf } from './log-task.ts';
import { misbehave } from './misbehave.ts';
import { startStep } from './progress.ts';
import { logLeftPaused, logSchedulersPaused, logSchedulersResumed } from './restore-log.ts';
import type { StartedRestore } from './restore-run.ts';
import { CANCELED } from './restore-tables.ts';
import { isSystemDatabase } from './schemas.ts';
import type { Table } from './table.ts';
import { matchesFilters } from './table-filter.ts';
import type { TargetHold } from './target-state.ts';
import { tsoAt } from './tso.ts';

// How the changes of a log come into the tables of a snapshot.
//
// 1. Files come in the order of their times, and the changes in them too: of a row, the last change up to the point counts.
// 2. A file counts as done only after all its changes are in the tables; doing it again changes nothing.
// 3. TiKV's garbage collection is off from before the first change on, and on again after a success alone, where there is a
//    checkpoint; the value that it gets back then is the one that the first run found.

export interface ChangesWork {
  readonly storage: LogStorage;
  readonly origin: LogOrigin;
  readonly checkpoint: LogCheckpoint | undefined;
  readonly hold: TargetHold;
}

/** What a run did, and what earlier ones had done. */
interface Counts {
  changes: number;
  bytes: number;
  skippedChanges: number;
  skippedBytes: number;
}

/** Brings the changes of a log into the target, and prints how that ended. */
export async function restoreChanges(run: StartedRestore, work: ChangesWork): Promise<void> {
  const { log, signal } = run;
  const startedAt = performance.now();
  const rewriteTs = tsoAt(Date.now());
  let counts: Counts;
  try {
    counts = await restoreWithoutCollection(run, { ...work, rewriteTs });
  } catch (error) {
    log.summary('restore log', 'failed', [['error', signal.aborted ? CANCELED : (error as Error).message]]);
    throw error;
  }
  const { startTs, restoredTs } = work.origin;
  const tookMs = performance.now() - startedAt;
  log.summary('restore log', 'success', [
    ['total-take', goDuration(tookMs)],
    ['source-start-point', startTs],
    ['source-end-point', restoredTs],
    ['target-end-point', rewriteTs],
    ['source-start', dateOf(startTs)],
    ['source-end', dateOf(restoredTs)],
    ['target-end', dateOf(rewriteTs)],
    ['total-kv-count', counts.changes],
    ['skipped-kv-count-by-checkpoint', counts.skippedChanges],
    ['total-size', humanSize(counts.bytes)],
    ['skipped-size-by-checkpoint', humanSize(counts.skippedBytes)],
    ['average-speed', `${humanSize(counts.bytes / Math.max(0.001, tookMs / 1000))}/s`],
  ]);
}

const NO_COLLECTION = -1;
/** What BR takes for the value before where it finds one that switches the collection off. */
const DEFAULT_GC_RATIO = 1.1;

/** Pauses schedulers and TiKV's garbage collection around the work. */
async function restoreWithoutCollection(
  run: StartedRestore,
  work: ChangesWork & { readonly rewriteTs: bigint },
): Promise<Counts> {
  const { target, log, signal } = run;
  const { hold, checkpoint, origin } = work;
  await hold.pause('schedulers');
  logSchedulersPaused(log);
  let putsBack = checkpoint === undefined;
  let gcRatio = DEFAULT_GC_RATIO;
  try {
    gcRatio = await target.alone(signal, async () => {
      const { gcRatioThreshold: found } = await target.readState();
      await target.changeState(() => ({ gcRatioThreshold: NO_COLLECTION }));
      logGcRatio(run, NO_COLLECTION);
      const before = found < 0 ? DEFAULT_GC_RATIO : found;
      const recorded = await checkpoint?.read();
      if (recorded === undefined) await checkpoint?.create({ ...origin, gcRatio: before });
      return recorded?.gcRatio ?? before;
    });
    log.info('client.go:476', 'save gc ratio into checkpoint metadata', [
      ['start-ts', origin.startTs],
      ['restored-ts', origin.restoredTs],
      ['rewrite-ts', work.rewriteTs],
      ['gc-ratio', gcRatio],
      ['tiflash-item-count', 0],
    ]);
    const counts = await restoreFiles(run, work);
    putsBack = true;
    return counts;
  } finally {
    if (putsBack) {
      log.info('stream.go:1343', 'start to restore gc', [['ratio', gcRatio]]);
      await target.alone(AbortSignal.timeout(CLEAN_UP_MS), () =>
        target.changeState(() => ({ gcRatioThreshold: gcRatio })),
      );
      logGcRatio(run, gcRatio);
      log.info('stream.go:1347', 'finish restoring gc');
      await hold.resume();
      logSchedulersResumed(log);
    } else {
      log.info('stream.go:1339', 'skip restore the gc-ratio-threshold for next retry');
      logLeftPaused(log);
    }
  }
}

/** How long a run waits for others before it leaves things behind. */
const CLEAN_UP_MS = 30_000;

function logGcRatio({ log }: StartedRestore, ratio: number): void {
  log.warn('db.go:128', 'set config tikv gc.ratio-threshold', [['ratio', ratio.toFixed(1)]]);
}

async function restoreFiles(run: StartedRestore, { storage, origin, checkpoint }: ChangesWork): Promise<Counts> {
  const { script, log, signal } = run;
  restoreSchemas(run);
  const files = await storage.filesWithin(origin.startTs, origin.restoredTs);
  const done = new Set(await checkpoint?.readFiles());
  const counts: Counts = { changes: 0, bytes: 0, skippedChanges: 0, skippedBytes: 0 };
  const stepMs = (script.seconds * 1000) / Math.max(1, files.length);
  const startedAt = performance.now();
  using step = startStep(run.progress, 'Restore Files(SST + KV)', files.length);
  let finished = 0;
  let turned = false;
  const turnWhenDue = async () => {
    if (turned || finished < script.outcome.at * files.length) return;
    turned = true;
    await misbehaveHere(run);
  };
  for (const file of files) {
    await turnWhenDue();
    if (done.has(file.name)) {
      counts.skippedChanges += file.changes;
      counts.skippedBytes += file.bytes;
    } else {
      await pause(Math.max(0, startedAt + (finished + 1) * stepMs - performance.now()), undefined, { signal });
      await restoreFile(run, { file, storage, origin, checkpoint });
    }
    counts.changes += file.changes;
    counts.bytes += file.bytes;
    finished += 1;
    step.advance(1);
  }
  await turnWhenDue();
  signal.throwIfAborted();
  log.info('client.go:703', 'Restored KV files', [['take', goDuration(performance.now() - startedAt)]]);
  return counts;
}

/** Changes of schemas, of which a demo cluster's log has none. */
function restoreSchemas({ progress, log }: StartedRestore): void {
  using _step = startStep(progress, 'Restore Meta Files', 0);
  log.info('log_file_manager.go:285', 'start to collect all ddl files');
  log.info('client.go:1085', 'start to restore meta files', [
    ['total files', 0],
    ['default files', 0],
    ['write files', 0],
  ]);
}

async function misbehaveHere(run: StartedRestore): Promise<void> {
  const { outcome } = run.script;
  if (outcome.step !== 'log-files') return;
  const { kind, name, message, code, exitCode } = outcome;
  if (kind === 'fail' && name !== undefined) throw new BrError(message, code, exitCode);
  await misbehave(outcome, run);
}

async function restoreFile(
  { target, options, signal }: StartedRestore,
  { file, storage, origin, checkpoint }: Omit<ChangesWork, 'hold'> & { readonly file: LogFile },
): Promise<void> {
  const isWanted = ({ db, table, ts }: RowChange) =>
    BigInt(ts) >= origin.startTs &&
    BigInt(ts) <= origin.restoredTs &&
    !isSystemDatabase(db) &&
    matchesFilters(options.filters, { db, table });
  const changes = (await readLogFile(storage.files, file, storage.uri)).filter(isWanted);
  await target.alone(signal, async () => {
    for (const ofTable of Map.groupBy(changes, ({ db, table }) => JSON.stringify([db, table])).values()) {
      const [first] = ofTable;
      if (first === undefined) continue;
      const { columns, rows } = (await target.readTable(first)) ?? NEW_TABLE;
      await target.writeTable(first, { columns, rows: changed(rows, ofTable) });
    }
    await checkpoint?.flush(file.name);
  });
}

/** Of a table that the snapshot does not have. */
const NEW_TABLE: Table = { columns: 'id\tvalue', rows: new Map() };

function changed(rows: Table['rows'], changes: readonly RowChange[]): Map<number, string> {
  const result = new Map(rows);
  for (const { handle, value } of changes) {
    if (value === undefined) result.delete(handle);
    else result.set(handle, value);
  }
  return result;
}
