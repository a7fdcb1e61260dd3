import { randomUUID } from 'node:crypto';
import type { GivenFlags } from './arguments.ts';
import { writeMetaFiles } from './backup-meta.ts';
import { type BackupOptions, requestedBackupTs } from './backup-options.ts';
import { backupRegions } from './backup-regions.ts';
import { BrError } from './br-error.ts';
import { type CheckpointMeta, readFlushedWork, removeCheckpoint, writeCheckpointMeta } from './checkpoint.ts';
import { takeCheckpointLock } from './checkpoint-lock.ts';
import { goDuration } from './go-format.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import { misbehave } from './misbehave.ts';
import { startStep } from './progress.ts';
import { sampleRegions, sampleSchemas } from './sample-data.ts';
import type { Script } from './script.ts';
import { type LocalStorage, removeFile, writeWhole } from './storage.ts';
import type { BackupTotals } from './summary.ts';
import { BACKUP_META, enterPath } from './used-path.ts';

// 1. `backupmeta` appears last, whole, and only while the run holds checkpoint.lock.
// 2. A checkpoint exists from before the first SST until after `backupmeta`; the lock outlives both.
// 3. Once `backupmeta` is being written, a signal no longer changes the end.

/** What a run works with. */
export interface BackupRun {
  readonly flags: GivenFlags;
  readonly options: BackupOptions;
  readonly storage: LocalStorage;
  readonly script: Script;
  readonly log: Log;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
}

/**
 * Does the work of `br backup full`.
 *
 * @returns what the success summary says
 * @throws BrError, or what the abort signal brings up
 */
export async function backupFull(run: BackupRun): Promise<BackupTotals> {
  const { options, storage, script, log, ledger, signal } = run;
  const startedAt = performance.now();
  const regions = sampleRegions(script.regions, options.filters);
  logCluster(run);

  const resumed = await enterPath(storage, options.configHash);
  const checkpoint = resumed ?? newCheckpoint(run);
  logBackupTs(log, checkpoint, resumed !== undefined);
  signal.throwIfAborted();

  const useCheckpoint = options.useCheckpoint && regions.length > 0;
  if (useCheckpoint && resumed === undefined) await writeCheckpointMeta(storage, checkpoint);
  await using _lock = useCheckpoint && script.hasLock ? await takeLock(run) : undefined;

  const flushed = await readFlushedWork(storage);
  if (regions.length > 0) {
    log.info('client.go:1087', 'Backup Ranges Started', [['ranges', `{total=${regions.length}}`]]);
  } else {
    log.warn('backup.go:591', 'Nothing to backup, maybe connected to cluster for restoring', [
      ['PD address', options.pd.join(',')],
    ]);
  }
  const halfway = () => misbehave(script.outcome, { ledger, signal });
  const { backupTs } = checkpoint;
  const files =
    regions.length > 0
      ? await backupRegions({ storage, log, script, backupTs, useCheckpoint, regions, flushed, signal, halfway })
      : [];

  const checksumAt = performance.now();
  await writeMeta(run, checkpoint, files);
  const checksumMs = performance.now() - checksumAt;
  if (useCheckpoint && script.outcome.kind !== 'exit-0-without-meta') {
    log.info('backup.go:662', 'start to remove checkpoint data for backup');
    await removeCheckpoint(storage);
    log.info('backup.go:667', 'the checkpoint data for backup is removed.');
  }
  if (script.outcome.kind === 'checksum-mismatch') throw new BrError('', 'BR:Backup:ErrBackupChecksumMismatch');
  const tookMs = performance.now() - startedAt + flushed.pastMs;
  return { regions: regions.length, files, backupTs, tookMs, checksumMs, checksum: options.checksum };
}

function logCluster({ options, script, log }: BackupRun): void {
  const addresses = `[${options.pd.join(',')}]`;
  log.info('conn.go:168', 'new mgr', [['pdAddrs', addresses]]);
  log.info('pd_service_discovery.go:499', '[pd] init cluster id', [['cluster-id', script.clusterId]]);
  log.info('client.go:379', 'new backup client');
}

function newCheckpoint({ flags, options }: BackupRun): CheckpointMeta {
  return {
    gcServiceId: `br-${randomUUID()}`,
    configHash: options.configHash,
    backupTs: requestedBackupTs(flags, Date.now()),
  };
}

function logBackupTs(log: Log, { backupTs, gcServiceId }: CheckpointMeta, resumed: boolean): void {
  if (!resumed) {
    log.info('client.go:447', 'backup encode timestamp', [['BackupTS', backupTs]]);
    return;
  }
  log.info('client.go:521', 'load the checkpoint meta, so the existence of lockfile is allowed.');
  log.info('client.go:415', 'reuse checkpoint BackupTS', [['backup-ts', backupTs]]);
  log.info('client.go:461', 'reuse the checkpoint gc-safepoint service id', [['service-id', gcServiceId]]);
}

async function takeLock({ storage, script, log, signal }: BackupRun): Promise<AsyncDisposable> {
  const ttlMs = script.lockTtlSeconds * 1000;
  const lock = await takeCheckpointLock(storage, { ttlMs, settleMs: script.lockSettleSeconds * 1000, signal });
  log.info('external_storage.go:104', 'start to flush the checkpoint lock', [['expire-at', Date.now() + ttlMs]]);
  return lock;
}

/** Writes the metadata, in the state that the outcome demands. */
async function writeMeta(
  { options, storage, script, log }: BackupRun,
  { backupTs }: CheckpointMeta,
  files: Awaited<ReturnType<typeof backupRegions>>,
): Promise<void> {
  const { kind } = script.outcome;
  const startedAt = performance.now();
  const schemas = sampleSchemas(options.filters, files);
  const body = await writeMetaFiles(storage, {
    clusterId: script.clusterId,
    version: script.version,
    startVersion: options.lastBackupTs,
    endVersion: backupTs,
    files,
    schemas,
  });
  log.info('schema.go:179', 'Backup calculated table checksum into metas', [
    ['take', goDuration(performance.now() - startedAt)],
  ]);
  if (kind === 'missing-sst' && files[0] !== undefined) await removeFile(storage, files[0].name);
  if (kind !== 'exit-0-without-meta') {
    const whole = kind !== 'truncated-meta';
    await writeWhole(storage, BACKUP_META, whole ? body : body.subarray(0, Math.floor(body.length / 2)));
    log.info('metafile.go:806', 'save backup meta', [['size', body.length]]);
  }
  if (schemas.length === 0) return;
  using step = startStep(log, 'Checksum', { total: options.checksum ? schemas.length : 1, everyMs: 120_000 });
  step.advance(options.checksum ? schemas.length : 1);
}
