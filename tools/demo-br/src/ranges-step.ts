import type { File } from '@tidemark/protocol/br/backup';
import { backupRegions } from './backup-regions.ts';
import type { BackupRun } from './backup-run.ts';
import type { Checkpoint, CheckpointMeta } from './checkpoint.ts';
import { type HeldLock, takeCheckpointLock } from './checkpoint-lock.ts';
import { checkpointPaths } from './checkpoint-paths.ts';
import { failAtStage } from './fail-at-stage.ts';
import { misbehave } from './misbehave.ts';
import { startStep } from './progress.ts';
import type { Region } from './regions.ts';
import { logRangesCompleted, logRangesStarted } from './run-log.ts';

export interface RangesWork {
  readonly meta: CheckpointMeta;
  readonly resumed: boolean;
  readonly checkpoint: Checkpoint | undefined;
  readonly regions: readonly Region[];
  /** Keeps the lock that is taken here, beyond the step. */
  readonly locks: AsyncDisposableStack;
}

/** What the step `Full Backup` leaves. */
export interface RangesDone {
  readonly files: readonly File[];
  /** How long earlier runs worked, in milliseconds. */
  readonly pastMs: number;
  readonly lock: HeldLock | undefined;
}

/** The step `Full Backup`: checkpoint, lock, files. */
export async function backupRanges(run: BackupRun, work: RangesWork): Promise<RangesDone> {
  const { storage, crypter, script, log, collector, signal } = run;
  const { meta, resumed, checkpoint, regions, locks } = work;
  collector.add('backup-total-ranges', regions.length);
  collector.add('backup-total-regions', regions.length);
  using step = startStep(run.progress, 'Full Backup', regions.length);
  const ranges = regions.map(({ startKey, endKey }) => [startKey, endKey] as const);
  if (!resumed) await checkpoint?.writeMeta(meta, ranges);
  const lock = checkpoint && script.hasLock ? locks.use(await takeLock(run)) : undefined;
  const flushed = (await checkpoint?.readFlushed()) ?? { regions: new Set<number>(), files: [], pastMs: 0 };
  const startedAt = performance.now();
  logRangesStarted(run, regions.length);
  const halfway = async () => {
    await failAtStage('work', run);
    await misbehave(script.outcome, run);
  };
  const { backupTs } = meta;
  try {
    const files = await backupRegions({
      storage,
      crypter,
      step,
      script,
      backupTs,
      checkpoint,
      regions,
      flushed,
      signal,
      halfway,
    });
    return { files, lock, pastMs: flushed.pastMs };
  } finally {
    logRangesCompleted(log, startedAt);
  }
}

async function takeLock({ storage, dialect, script, log, signal }: BackupRun): Promise<HeldLock> {
  const ttlMs = script.lockTtlSeconds * 1000;
  const lockAt = Date.now();
  return takeCheckpointLock(storage, {
    name: checkpointPaths(dialect, storage).lock,
    dialect,
    ttlMs,
    settleMs: script.lockSettleSeconds * 1000,
    signal,
    onWritten: () =>
      log.info('external_storage.go:104', 'start to flush the checkpoint lock', [
        ['lock-at', lockAt],
        ['expire-at', lockAt + ttlMs],
      ]),
  });
}
