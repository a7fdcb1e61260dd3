import { setTimeout as pause } from 'node:timers/promises';
import type { File } from '@tidemark/protocol/br/backup';
import type { Checkpoint, FlushedWork } from './checkpoint.ts';
import type { Crypter } from './crypter.ts';
import type { Step } from './progress.ts';
import type { Region } from './regions.ts';
import type { Script } from './script.ts';
import type { Storage } from './storage.ts';
import { writeRegion } from './write-region.ts';

export interface RegionWork {
  readonly storage: Storage;
  readonly crypter: Crypter;
  readonly step: Step;
  readonly script: Script;
  readonly backupTs: bigint;
  /** Undefined if nothing is flushed. */
  readonly checkpoint: Checkpoint | undefined;
  /** All regions of the backup. */
  readonly regions: readonly Region[];
  /** What earlier runs did. */
  readonly flushed: FlushedWork;
  /** Aborting it ends the work at once; what was not flushed is lost to the next run, its files stay. */
  readonly signal: AbortSignal;
  /** Called once, when the fraction `script.outcome.at` of the regions is done. */
  readonly halfway: () => Promise<void>;
}

/**
 * Writes the SST files of all regions that are not done yet, evenly over the script's time, with a checkpoint that
 * is flushed as it goes.
 *
 * @returns the records of all files, those of earlier runs too
 */
export async function backupRegions(work: RegionWork): Promise<File[]> {
  const { script, regions, flushed, signal } = work;
  const stepMs = (script.seconds * 1000) / Math.max(1, regions.length);
  const turn = script.outcome.at * regions.length;
  const files = [...flushed.files];
  const flusher = startFlusher(work);
  const startedAt = performance.now();
  let done = flushed.regions.size;
  let written = 0;
  let turned = false;

  const turnWhenDue = async () => {
    if (turned || done < turn) return;
    turned = true;
    await work.halfway();
  };

  work.step.advance(done);
  try {
    for (const region of regions.filter(({ id }) => !flushed.regions.has(id))) {
      await turnWhenDue();
      written += 1;
      await pause(Math.max(0, startedAt + written * stepMs - performance.now()), undefined, { signal });
      const made = await writeRegion(work.storage, region, work);
      files.push(...made);
      done += 1;
      work.step.advance(1);
      await flusher.add(region, made);
    }
    await turnWhenDue();
    signal.throwIfAborted();
  } catch (error) {
    // A failure flushes what there is; a signal does not (br-contract 4).
    if (!signal.aborted) await flusher.flush();
    throw error;
  }
  return files;
}

/** Collects finished regions and flushes them at the script's interval. */
function startFlusher({ script, checkpoint }: RegionWork) {
  let regions: number[] = [];
  let files: File[] = [];
  let flushedAt = performance.now();

  const flush = async () => {
    if (checkpoint === undefined || regions.length === 0) return;
    const now = performance.now();
    await checkpoint.flush({ regions, files, costMs: now - flushedAt });
    regions = [];
    files = [];
    flushedAt = now;
  };
  return {
    flush,
    async add(region: Region, made: readonly File[]) {
      regions.push(region.id);
      files.push(...made);
      if (performance.now() - flushedAt >= script.flushSeconds * 1000) await flush();
    },
  };
}
