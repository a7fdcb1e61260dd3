/** The backup record of the documented API, with what goes beyond it as extra fields (`api-contract.md`). Pure. */
import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import {
  type Attempt,
  type Backup,
  BackupMode,
  BackupOrigin,
  BackupState,
  DeletionState,
  type Reason,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { BackupRecordView } from './operations/backups.ts';

/** How a time that has not happened is written. */
export const NEVER = '0001-01-01T00:00:00Z';
/** How backup-service names the holds that are pins. */
const PIN = 'pin:';
const MIB = 1024 * 1024;

interface StateNames {
  readonly state: string;
  readonly status: LegacyStatus;
}
export const STATUSES = ['Initializing', 'Processing', 'Finished', 'Failed'] as const;
export type LegacyStatus = (typeof STATUSES)[number];

const STATE_NAMES: Readonly<Record<number, StateNames>> = {
  [BackupState.QUEUED]: { state: 'Queued', status: 'Initializing' },
  [BackupState.RUNNING]: { state: 'Running', status: 'Processing' },
  [BackupState.CANCELING]: { state: 'Canceling', status: 'Processing' },
  [BackupState.SUCCEEDED]: { state: 'Succeeded', status: 'Finished' },
  [BackupState.FAILED]: { state: 'Failed', status: 'Failed' },
  [BackupState.CANCELED]: { state: 'Canceled', status: 'Failed' },
};
const UNKNOWN: StateNames = { state: 'Unknown', status: 'Processing' };

const DELETION_NAMES: Readonly<Record<number, BackupRecordView['deletion']['state']>> = {
  [DeletionState.NONE]: 'None',
  [DeletionState.REQUESTED]: 'Requested',
  [DeletionState.DELETING]: 'Deleting',
  [DeletionState.DELETED]: 'Deleted',
  [DeletionState.DELETE_FAILED]: 'DeleteFailed',
};

export const STATES = Object.values(STATE_NAMES).map(({ state }) => state);

/** The states that a status or a state of a filter means. */
export function statesOf(name: string): BackupState[] {
  return Object.entries(STATE_NAMES)
    .filter(([, { state, status }]) => state === name || status === name)
    .map(([value]) => Number(value) as BackupState);
}

export function timeOf(time: Timestamp | undefined): string {
  return time ? timestampDate(time).toISOString() : NEVER;
}

/** A backup as the documented API shows it. */
export function toLegacyRecord(backup: Backup): BackupRecordView {
  const { state, status } = STATE_NAMES[backup.state] ?? UNKNOWN;
  const sizeBytes = Number(backup.result?.sizeBytes ?? 0n);
  const { deletion, progress, cancellation } = backup;
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
      ...(deletion?.error && { error: deletion.error }),
      ...(deletion?.bytes && { bytes: Number(deletion.bytes) }),
      ...(deletion?.remark && { remark: deletion.remark }),
    },
    holds: backup.holds,
    pinned: backup.holds.some((hold) => hold.startsWith(PIN)),
    storageId: backup.storageId,
    ...(backup.queuePosition > 0 && { queuePosition: backup.queuePosition }),
    ...(backup.rule && { rule: backup.rule }),
    origin: backup.origin === BackupOrigin.SCHEDULE ? 'schedule' : 'request',
    createdBy: backup.createdBy,
    deadline: timeOf(backup.deadline),
    revision: Number(backup.revision),
  };
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
