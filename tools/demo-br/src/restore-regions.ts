import { setTimeout as pause } from 'node:timers/promises';
import type { File } from '@tidemark/protocol/br/backup';
import type { BackupTable } from './backup-content.ts';
import { downloadRows } from './download.ts';
import type { RestoreCheckpoint } from './restore-checkpoint.ts';
import type { RestoreProgress } from './restore-progress.ts';
import type { RestoreRun } from './restore-run.ts';

// 1. A region counts as done only after all its rows are in the table; doing it again changes nothing.
// 2. What was not flushed is done again by the next run. A failure flushes what there is; a signal does not.

/** A part of a table; the unit in which a restore proceeds. */
export interface RestoreRegion {
  /** The same in every run of one backup. */
  readonly key: string;
  readonly table: BackupTable;
  readonly files: readonly File[];
}

/** The regions of tables, those of all tables in turn. */
export function restoreRegions(tables: readonly BackupTable[]): RestoreRegion[] {
  return tables
    .flatMap((table) =>
      [...Map.groupBy(table.files, ({ startKey }) => startKey.toString('hex'))].map(([key, files], index) => ({
        region: { key, table, files },
        index,
      })),
    )
    .toSorted((a, b) => a.index - b.index)
    .map(({ region }) => region);
}

export interface RestoreRegionsWork {
  readonly regions: readonly RestoreRegion[];
  /** Keys of those that earlier runs did. */
  readonly done: ReadonlySet<string>;
  readonly checkpoint: RestoreCheckpoint | undefined;
  readonly progress: RestoreProgress;
  /** Called once, when the fraction `script.outcome.at` of the regions is done. */
  readonly halfway: () => Promise<void>;
  /** Whether TiKV may read nothing at present. */
  readonly isAway: () => boolean;
}

/** Downloads and ingests all regions that are not done yet, evenly over the script's time. */
export async function ingestRegions(run: RestoreRun, work: RestoreRegionsWork): Promise<void> {
  const { script, signal } = run;
  const { regions, progress } = work;
  const stepMs = (script.seconds * 1000) / Math.max(1, regions.length);
  const startedAt = performance.now();
  const flusher = startFlusher(run, work);
  let finished = 0;
  let worked = 0;
  let turned = false;
  const turnWhenDue = async () => {
    if (turned || finished < script.outcome.at * regions.length) return;
    turned = true;
    await work.halfway();
  };
  try {
    for (const region of regions) {
      await turnWhenDue();
      if (!work.done.has(region.key)) {
        worked += 1;
        progress.split(1);
        await pause(Math.max(0, startedAt + worked * stepMs - performance.now()), undefined, { signal });
        await ingest(run, region, work.isAway);
        progress.load(region.files.length);
        await flusher.add(region);
      } else {
        progress.split(1);
        progress.load(region.files.length);
      }
      finished += 1;
    }
    await turnWhenDue();
    signal.throwIfAborted();
  } catch (error) {
    if (!signal.aborted) await flusher.flush();
    throw error;
  }
  await flusher.flush();
}

/**
 * Puts the rows of a region into its table: rows that are there already are overwritten, others stay. A table that was dropped
 * meanwhile does not come back.
 */
async function ingest(run: RestoreRun, { table, files }: RestoreRegion, isAway: () => boolean): Promise<void> {
  const { target, signal } = run;
  const added: Array<readonly [number, string]> = [];
  for (const file of files) added.push(...(await downloadRows(run, file, isAway)));
  await target.alone(signal, async () => {
    const found = await target.readTable(table);
    if (found === undefined) return;
    await target.writeTable(table, { ...found, rows: new Map([...found.rows, ...added]) });
  });
}

/** Collects finished regions and flushes them at the script's interval. */
function startFlusher({ script, signal }: RestoreRun, { checkpoint }: RestoreRegionsWork) {
  let keys: string[] = [];
  let flushedAt = performance.now();
  const flush = async () => {
    if (checkpoint === undefined || keys.length === 0) return;
    await checkpoint.flush({ regions: keys, tables: [] }, signal);
    keys = [];
    flushedAt = performance.now();
  };
  return {
    flush,
    async add({ key }: RestoreRegion) {
      keys.push(key);
      if (performance.now() - flushedAt >= script.flushSeconds * 1000) await flush();
    },
  };
}
