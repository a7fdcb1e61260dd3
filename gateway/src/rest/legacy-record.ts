/** The backup record of the documented API, with what goes beyond it as extra fields (docs/api-contract.md). Pure. */
import {
  type Attempt,
  type Backup,
  BackupMode,
  BackupOrigin,
  type BackupState,
  DeletionState,
  type Reason,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { STATE_NAMES, timeOf, UNKNOWN } from './legacy-states.ts';
import type { BackupRecordView } from './operations/backup-record.ts';
import { toVerificationView } from './verification-view.ts';

/** How backup-service names the holds that are pins. */
const PIN = 'pin:';
const MIB = 1024 * 1024;

const DELETION_NAMES: Readonly<Record<number, BackupRecordView['deletion']['state']>> = {
  [DeletionState.NONE]: 'None',
  [DeletionState.REQUESTED]: 'Requested',
  [DeletionState.DELETING]: 'Deleting',
  [DeletionState.DELETED]: 'Deleted',
  [DeletionState.DELETE_FAILED]: 'DeleteFailed',
  [DeletionState.FORGOTTEN]: 'Forgotten',
  [DeletionState.TRASHED]: 'Trashed',
};

const ORIGINS: ReadonlyMap<BackupOrigin, BackupRecordView['origin']> = new Map([
  [BackupOrigin.SCHEDULE, 'schedule'],
  [BackupOrigin.LOG, 'log'],
]);

/** The states that a status or a state of a filter means. */
export function statesOf(name: string): BackupState[] {
  return Object.entries(STATE_NAMES)
    .filter(([, { state, status }]) => state === name || status === name)
    .map(([value]) => Number(value) as BackupState);
}

/** A backup as the documented API shows it. */
export function toLegacyRecord(backup: Backup): BackupRecordView {
  const { state, status } = STATE_NAMES[backup.state] ?? UNKNOWN;
  const sizeBytes = Number(backup.result?.sizeBytes ?? 0n);
  const { deletion, progress, cancellation, waiting, estimate, verification } = backup;
  return {
    id: backup.id,
    clusterId: backup.clusterId,
    backupType: backup.type,
    backupMethod: backup.method,
    backupMode: backup.mode === BackupMode.AUTO ? 'auto' : 'manual',
    filePath: backup.path,
    size: sizeBytes / MIB,
    backupTso: String(backup.result?.tso ?? 0n),
    status,
    startTime: timeOf(backup.startTime),
    endTime: timeOf(backup.endTime),
    createTime: timeOf(backup.createTime),
    updateTime: timeOf(backup.updateTime),
    deleteTime: timeOf(backup.deleteTime),
    state,
    progress: progress
      ? {
          step: progress.step,
          percent: progress.percent,
          ...(progress.remainingSeconds !== undefined && { remainingSeconds: progress.remainingSeconds }),
          speed: progress.speed,
        }
      : { step: '', percent: 0 },
    sizeBytes,
    files: Number(backup.result?.files ?? 0n),
    ...(backup.result?.remark && { remark: backup.result.remark }),
    ...(backup.reason && { reason: toReason(backup.reason) }),
    attempts: backup.attempts.map(toAttempt),
    ...(cancellation && {
      cancel: { at: timeOf(cancellation.at), by: cancellation.by, reason: cancellation.reason },
    }),
    deletion: {
      state: DELETION_NAMES[deletion?.state ?? DeletionState.NONE] ?? 'None',
      ...(deletion?.at && { at: timeOf(deletion.at), by: deletion.by, reason: deletion.reason }),
      ...(deletion?.trashUntil && { trashUntil: timeOf(deletion.trashUntil) }),
      ...(deletion?.error && { error: deletion.error }),
      ...(deletion?.errorCode && { errorCode: deletion.errorCode }),
      ...(deletion?.bytes && { bytes: Number(deletion.bytes) }),
      ...(deletion?.remark && { remark: deletion.remark }),
    },
    holds: backup.holds,
    pinned: backup.holds.some((hold) => hold.startsWith(PIN)),
    storageId: backup.storageId,
    ...(backup.queuePosition > 0 && { queuePosition: backup.queuePosition }),
    ...(backup.nextTryTime && { nextTryTime: timeOf(backup.nextTryTime) }),
    ...(waiting && {
      waiting: {
        code: waiting.code,
        message: waiting.message,
        ...(waiting.store && { store: waiting.store }),
        since: timeOf(waiting.since),
      },
    }),
    ...(estimate && {
      estimate: {
        writtenBytes: Number(estimate.writtenBytes),
        ...(estimate.percent !== undefined && { percent: estimate.percent }),
      },
    }),
    ...(verification && { verification: toVerificationView(verification) }),
    ...(backup.rule && { rule: backup.rule }),
    origin: ORIGINS.get(backup.origin) ?? 'request',
    createdBy: backup.createdBy,
    deadline: timeOf(backup.deadline),
    revision: Number(backup.revision),
  };
}

/**
 * A backup as the documented list shows it: one that has not ended has its start in the place of its end, since consoles
 * that were written for that list would show the year 1.
 */
export function toListedRecord(backup: Backup): BackupRecordView {
  return { ...toLegacyRecord(backup), endTime: timeOf(backup.endTime ?? backup.startTime) };
}

function toReason({ code, message, detail }: Reason): NonNullable<BackupRecordView['reason']> {
  return { code, message, ...(detail && { detail }) };
}

function toAttempt(attempt: Attempt): BackupRecordView['attempts'][number] {
  return {
    number: attempt.number,
    worker: attempt.worker,
    filePath: attempt.path,
    startTime: timeOf(attempt.startTime),
    endTime: timeOf(attempt.endTime),
    outcome: attempt.outcome,
    ...(attempt.reason && { reason: toReason(attempt.reason) }),
    ...(attempt.argv.length > 0 && { argv: attempt.argv }),
    ...(attempt.brVersion && { brVersion: attempt.brVersion }),
  };
}
