import { BackupMeta } from '@tidemark/protocol/br/backup';
import { untilAborted } from './abort.ts';
import { BrError, invalidArgument } from './br-error.ts';
import { checkLogOrigin, type LogCheckpoint, type LogOrigin, logCheckpointIn } from './log-checkpoint.ts';
import type { LogStorage } from './log-storage.ts';
import { misbehave } from './misbehave.ts';
import { restoreChanges } from './restore-changes.ts';
import { CHECKPOINT_DATABASE, checkpointInTarget } from './restore-checkpoint.ts';
import { removeCheckpoints } from './restore-end.ts';
import type { StartedRestore } from './restore-run.ts';
import { restoreWithSummary } from './restore-with-summary.ts';
import type { Storage } from './storage.ts';
import type { TargetHold } from './target-state.ts';
import { tsoText } from './tso.ts';
import { BACKUP_META } from './used-path.ts';

// `br restore point`: a snapshot, then all that its log holds up to a time.
//
// 1. What refuses it for its times or its storages comes before anything is changed, and has no summary.
// 2. The snapshot has a summary of its own, which is no success: its checkpoint stays until the log is done too.
// 3. Once there is a checkpoint of the log, the snapshot is not gone through again.

interface PointStorages {
  readonly openBackup: () => Promise<Storage>;
  readonly openLog: () => Promise<LogStorage>;
}

export async function restorePoint(
  run: StartedRestore,
  { openBackup, openLog, hold }: PointStorages & { readonly hold: TargetHold },
): Promise<void> {
  const { options, dialect, target, script, log, signal } = run;
  const storage = await untilAborted(openLog(), signal);
  const origin = await findRange(run, storage, openBackup);
  const logCheckpoint = dialect.restoreCheckpoint === 'target' && options.useCheckpoint && logCheckpointIn(target);
  const checkpoints: { remove(): Promise<void> }[] = logCheckpoint ? [logCheckpoint] : [];
  if (logCheckpoint && (await isUnderWay(logCheckpoint, origin))) {
    process.stdout.write('Full Restore command is skipped due to checkpoint mode for restore\n');
    checkpoints.push(checkpointInTarget(target, CHECKPOINT_DATABASE));
  } else {
    log.info('stream.go:1886', 'check pitr requirements for the first execution');
    const { checkpoint } = await restoreWithSummary(run, openBackup, hold);
    if (checkpoint) checkpoints.push(checkpoint);
  }
  if (script.outcome.step === 'snapshot-summary') await misbehave(script.outcome, run);
  await restoreChanges(run, { storage, origin, checkpoint: logCheckpoint || undefined, hold });
  log.info('restore.go:723', 'start to remove checkpoint data for PITR restore');
  await removeCheckpoints(run, checkpoints);
}

/** Whether a restore of the log was begun. @throws BrError if it is another one */
async function isUnderWay(checkpoint: LogCheckpoint, origin: LogOrigin): Promise<boolean> {
  const recorded = await checkpoint.read();
  if (recorded) checkLogOrigin(recorded, origin);
  return recorded !== undefined;
}

/**
 * From when to when which log is to be restored.
 *
 * @throws BrError where backup, log and times do not go together
 */
async function findRange(
  run: StartedRestore,
  storage: LogStorage,
  openBackup: PointStorages['openBackup'],
): Promise<LogOrigin> {
  const { options, log, signal } = run;
  const clusterId = await storage.clusterId();
  const { min, max } = await storage.range();
  let startTs = options.startTs ?? 0n;
  if (options.storage !== '') {
    const meta = await readBackupMeta(run, await untilAborted(openBackup(), signal));
    if (meta.clusterId !== clusterId) {
      throw invalidArgument(
        `the full snapshot(from cluster ID:${meta.clusterId}) and log(from cluster ID:${clusterId}) come from different cluster.`,
      );
    }
    startTs = meta.endVersion;
    if (startTs < min) {
      throw invalidArgument(
        `it has gap between full backup ts:${tsoText(startTs)} and log backup ts:${tsoText(min)}. `,
      );
    }
  }
  const restoredTs = options.restoredTs ?? max;
  log.info('stream.go:1199', 'start point in time restore', [
    ['restore-from', startTs],
    ['restore-to', restoredTs],
    ['log-min-ts', min],
    ['log-max-ts', max],
  ]);
  if (startTs < min || restoredTs < startTs || restoredTs > max) {
    throw invalidArgument(
      `restore log from ${tsoText(startTs)} to ${tsoText(restoredTs)},  but the current existed log from ${tsoText(min)} to ${tsoText(max)}`,
    );
  }
  // Only the cluster that a backup of the same log was restored into knows which table is which.
  if (options.storage === '') throw new BrError('no base id map found from saved id or last restored PiTR');
  return { clusterId, startTs, restoredTs };
}

async function readBackupMeta({ crypter }: StartedRestore, storage: Storage): Promise<BackupMeta> {
  const sealed = await storage.read(BACKUP_META);
  if (sealed === undefined) {
    const where = storage.path === undefined ? `${storage.uri}${BACKUP_META}` : `${storage.path}/${BACKUP_META}`;
    throw new BrError(`open ${where}: no such file or directory`);
  }
  try {
    return BackupMeta.decode(crypter.openMeta(sealed));
  } catch {
    throw new BrError('unexpected EOF');
  }
}
