import { randomUUID } from 'node:crypto';
import type { File } from '@tidemark/protocol/br/backup';
import { untilAborted } from './abort.ts';
import { requestedBackupTs } from './backup-options.ts';
import type { BackupRun, StartedBackup } from './backup-run.ts';
import { BrError } from './br-error.ts';
import { type Checkpoint, type CheckpointMeta, checkpointIn } from './checkpoint.ts';
import { checkpointPaths } from './checkpoint-paths.ts';
import { failAtStage } from './fail-at-stage.ts';
import { backupRanges } from './ranges-step.ts';
import { logBackupTs, logCluster, logSafePointKept, logSafePointRemoved } from './run-log.ts';
import type { BackupTotals } from './summary.ts';
import { enterPath } from './used-path.ts';
import { checkClusterVersion, clusterKnowsCheckpoints } from './version-check.ts';
import { writeMetadata } from './write-metadata.ts';

// 1. `backupmeta` appears last, whole, and only while the run holds checkpoint.lock.
// 2. A checkpoint exists from before the first SST until after `backupmeta`; the lock outlives both.
// 3. Once `backupmeta` is being written, a signal no longer changes the end.

/**
 * Does the work of `br backup full`.
 *
 * @returns what the success summary says
 * @throws BrError, or what the abort signal brings up
 */
export async function backupFull(started: StartedBackup): Promise<BackupTotals> {
  const { options, dialect, storage, log, signal } = started;
  const startedAt = performance.now();
  await connect(started);
  const checkpoint = usesCheckpoint(started) ? checkpointIn(storage, checkpointPaths(dialect, storage)) : undefined;

  await failAtStage('storage', started);
  const resumed = await untilAborted(enterPath(storage, checkpoint, { configHash: options.configHash, log }), signal);
  const meta = resumed ?? newCheckpointMeta(started);
  logBackupTs(started, meta, { resumed: resumed !== undefined, checkpointed: checkpoint !== undefined });
  signal.throwIfAborted();
  const run = { ...started, source: await started.readSource(meta.backupTs) };
  let isFinished = false;
  try {
    const onFinished = () => {
      isFinished = true;
    };
    return await backupFrom(run, { meta, resumed: resumed !== undefined, checkpoint, startedAt, onFinished });
  } finally {
    if (isFinished) logSafePointRemoved(log);
    else logSafePointKept(log, meta.gcServiceId);
  }
}

/** Reaches the cluster and compares versions. */
async function connect(run: StartedBackup): Promise<void> {
  const { options, dialect, script, log } = run;
  log.info('conn.go:168', 'new mgr', [['pdAddrs', `[${options.pd.join(',')}]`]]);
  await failAtStage('pd', run);
  if (options.checkRequirements) checkClusterVersion(dialect, script.clusterVersion);
  logCluster(run);
}

function usesCheckpoint({ options, script, log }: StartedBackup): boolean {
  if (!options.useCheckpoint) return false;
  const known = clusterKnowsCheckpoints(script.clusterVersion);
  if (!known) {
    log.warn('backup.go:421', 'TiKV is too old for a checkpoint, it is switched off', [
      ['version', script.clusterVersion],
    ]);
  }
  return known;
}

function newCheckpointMeta({ flags, options }: StartedBackup): CheckpointMeta {
  return {
    gcServiceId: `br-${randomUUID()}`,
    configHash: options.configHash,
    backupTs: requestedBackupTs(flags, Date.now()),
  };
}

interface Start {
  readonly meta: CheckpointMeta;
  readonly resumed: boolean;
  readonly checkpoint: Checkpoint | undefined;
  readonly startedAt: number;
  /** Called when no later run can resume this one. */
  readonly onFinished: () => void;
}

/** Everything from a snapshot point on. */
async function backupFrom(run: BackupRun, start: Start): Promise<BackupTotals> {
  const { meta, resumed, checkpoint, startedAt, onFinished } = start;
  const { collector, source } = run;
  const { backupTs } = meta;
  const { regions } = source;
  if (regions.length === 0) {
    warnOfNothing(run);
    await writeMetadata(run, backupTs, []);
    return { files: [], backupTs, tookMs: performance.now() - startedAt };
  }
  await using locks = new AsyncDisposableStack();
  const { files, pastMs, lock } = await backupRanges(run, { meta, resumed, checkpoint, regions, locks });
  collector.succeed(regions.length);
  await failAtStage('end', run);
  await finish(run, { backupTs, files, checkpoint, onFinished });
  await lock?.release();
  return { files, backupTs, tookMs: performance.now() - startedAt + pastMs };
}

function warnOfNothing({ options, dialect, log, collector }: BackupRun): void {
  log.info('client.go:808', 'nothing to backup');
  log.warn('backup.go:591', 'Nothing to backup, maybe connected to cluster for restoring', [
    ['PD address', options.pd.join(',')],
  ]);
  if (dialect.namesEmptyResult) collector.add('Result', 'Nothing to bakcup');
}

/** Everything after the last range. Where sums are compared last, a mismatch comes when all looks finished. */
async function finish(
  run: BackupRun,
  {
    backupTs,
    files,
    checkpoint,
    onFinished,
  }: Pick<Start, 'checkpoint' | 'onFinished'> & { backupTs: bigint; files: readonly File[] },
): Promise<void> {
  const { dialect, script, log } = run;
  const mismatch = script.outcome.kind === 'checksum-mismatch';
  if (mismatch && !dialect.comparesSumsLast) throw checksumMismatch();
  await writeMetadata(run, backupTs, files);
  onFinished();
  if (checkpoint && dialect.removesCheckpoint && script.outcome.kind !== 'exit-0-without-meta') {
    log.info('backup.go:662', 'start to remove checkpoint data for backup');
    await checkpoint.remove();
    log.info('backup.go:667', 'the checkpoint data for backup is removed.');
  }
  if (mismatch) throw checksumMismatch();
}

const checksumMismatch = () => new BrError('', 'BR:Backup:ErrBackupChecksumMismatch');
