import { MAX_ID, MAX_TOLD_SECONDS, MAX_WORKER_SENTENCE } from '@tidemark/limits/limits';
import {
  type Attempt as AttemptMessage,
  Backup as BackupMessage,
  BackupMode,
  BackupOrigin,
  DeletionState as DeletionMessage,
  type Estimate as EstimateMessage,
  type Progress as ProgressMessage,
  type Reason as ReasonMessage,
  BackupState as StateMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { BackupGrant, Stall } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type {
  Attempt,
  Backup,
  BackupState,
  DeletionState,
  Estimate,
  Progress,
  Reason,
  Result,
  Waiting,
} from './backup.ts';
import { NEVER } from './decide/bin.ts';
import type { Verification } from './verification.ts';
import { toListedVerification, toVerificationMessage } from './verification-message.ts';

/** What is all but done may still have its checksums to compare. */
const MOST_ESTIMATED = 99;

const STATES = {
  Queued: StateMessage.BACKUP_STATE_QUEUED,
  Running: StateMessage.BACKUP_STATE_RUNNING,
  Canceling: StateMessage.BACKUP_STATE_CANCELING,
  Succeeded: StateMessage.BACKUP_STATE_SUCCEEDED,
  Failed: StateMessage.BACKUP_STATE_FAILED,
  Canceled: StateMessage.BACKUP_STATE_CANCELED,
} as const satisfies Record<BackupState, StateMessage>;

const DELETION_STATES = {
  None: DeletionMessage.DELETION_STATE_NONE,
  Trashed: DeletionMessage.DELETION_STATE_TRASHED,
  Requested: DeletionMessage.DELETION_STATE_REQUESTED,
  Deleting: DeletionMessage.DELETION_STATE_DELETING,
  Deleted: DeletionMessage.DELETION_STATE_DELETED,
  DeleteFailed: DeletionMessage.DELETION_STATE_DELETE_FAILED,
  Forgotten: DeletionMessage.DELETION_STATE_FORGOTTEN,
} as const satisfies Record<DeletionState, DeletionMessage>;

export function toStateMessage(state: BackupState): StateMessage {
  return STATES[state];
}

const ORIGINS = {
  request: BackupOrigin.BACKUP_ORIGIN_REQUEST,
  schedule: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
  log: BackupOrigin.BACKUP_ORIGIN_LOG,
} as const satisfies Record<Backup['origin'], BackupOrigin>;

/** The origin of a message, if it names one. */
export function fromOriginMessage(message: BackupOrigin): Backup['origin'] | undefined {
  return (Object.keys(ORIGINS) as Backup['origin'][]).find((origin) => ORIGINS[origin] === message);
}

/** The state of a message, if it names one. */
export function fromStateMessage(message: StateMessage): BackupState | undefined {
  return (Object.keys(STATES) as BackupState[]).find((state) => STATES[state] === message);
}

function toModeMessage(mode: Backup['mode']): BackupMode {
  return mode === 'auto' ? BackupMode.BACKUP_MODE_AUTO : BackupMode.BACKUP_MODE_MANUAL;
}

/** What a worker writes of the record into the manifest, beside what it needs for its work. */
export function toRecordFields(backup: Backup) {
  return {
    mode: toModeMessage(backup.mode),
    origin: ORIGINS[backup.origin],
    rule: backup.rule ?? '',
    createdBy: backup.createdBy,
    type: backup.type,
    method: backup.method,
    startTime: backup.startTime,
    requestKey: backup.request.key ?? '',
    requestHash: backup.request.hash,
    basePath: backup.basePath,
  } satisfies Partial<BackupGrant>;
}

/**
 * A stored backup as people see it.
 *
 * @param queuePosition 1 is the next; 0 where it does not wait, or where nobody looked
 * @param verification its newest, where that was looked up
 */
export function toBackupMessage(backup: Backup, queuePosition = 0, verification?: Verification): BackupMessage {
  const { deletion, cancel, task } = backup;
  return BackupMessage.create({
    id: backup._id,
    clusterId: backup.clusterId,
    mode: toModeMessage(backup.mode),
    type: backup.type,
    method: backup.method,
    origin: ORIGINS[backup.origin],
    state: toStateMessage(backup.state),
    storageId: backup.storage.id,
    path: backup.path,
    progress: backup.progress ?? undefined,
    result: backup.result
      ? {
          tso: BigInt(backup.result.tso),
          sizeBytes: BigInt(backup.result.sizeBytes),
          files: BigInt(backup.result.files),
          tidbClusterId: BigInt(backup.result.tidbClusterId),
          clusterVersion: backup.result.clusterVersion,
          remark: backup.result.remark ?? '',
        }
      : undefined,
    reason: backup.reason ? toReasonMessage(backup.reason) : undefined,
    attempts: backup.attempts.map(toAttemptMessage),
    cancellation: cancel ? { at: cancel.at, by: cancel.by, reason: cancel.reason } : undefined,
    deletion: {
      state: toDeletionMessage(deletion.state),
      by: deletion.by?.kind === 'retention' ? 'retention' : (deletion.by?.name ?? ''),
      reason: deletion.reason ?? '',
      at: deletion.at,
      bytes: BigInt(deletion.bytes ?? 0),
      error: deletion.error ?? '',
      remark: deletion.remark ?? '',
      errorCode: deletion.errorCode ?? '',
      trashUntil: deletion.trashUntil,
    },
    holds: [...backup.holds],
    // The task of what lies in the bin waits for nothing that has a time.
    task:
      task && task.notBefore < NEVER
        ? { kind: task.kind, notBefore: task.notBefore, worker: task.worker ?? '', tries: task.tries }
        : undefined,
    startTime: backup.startTime,
    endTime: backup.endTime ?? undefined,
    createTime: backup.createTime,
    updateTime: backup.updateTime,
    deleteTime: backup.deleteTime ?? undefined,
    revision: BigInt(backup.revision),
    createdBy: backup.createdBy,
    failures: backup.failures,
    losses: backup.losses,
    deadline: backup.deadline,
    rule: backup.rule ?? '',
    queuePosition,
    nextTryTime: isBetweenTries(backup) ? task?.notBefore : undefined,
    waiting: backup.waiting ?? undefined,
    estimate: backup.estimate
      ? { writtenBytes: BigInt(backup.estimate.writtenBytes), percent: backup.estimate.percent }
      : undefined,
    verification: toVerificationMessage(backup, verification),
  });
}

/** The fields of a record that a list does not tell. */
export const NOT_LISTED = { 'attempts.argv': 0, 'target.brOptions': 0 } as const;

/** The same for a list: what may be long, as the command lines of attempts, is in the single record. */
export function toListedMessage(backup: Backup, queuePosition = 0, verification?: Verification): BackupMessage {
  const message = toBackupMessage(backup, queuePosition, verification);
  return {
    ...message,
    attempts: message.attempts.map((attempt) => ({ ...attempt, argv: [] })),
    verification: message.verification && toListedVerification(message.verification),
  };
}

/** It waits, and not for the first time. */
function isBetweenTries({ state, reason }: Backup): boolean {
  return state === 'Queued' && reason !== null;
}

export function toDeletionMessage(state: DeletionState): DeletionMessage {
  return DELETION_STATES[state];
}

export function toReasonMessage({ code, message, detail }: Reason): ReasonMessage {
  return { code, message, detail: detail ?? '' };
}

function toAttemptMessage(attempt: Attempt, index: number): AttemptMessage {
  return {
    number: index + 1,
    worker: attempt.worker,
    path: attempt.path,
    startTime: attempt.startedAt,
    endTime: attempt.endedAt,
    outcome: attempt.outcome ?? '',
    reason: attempt.reason ? toReasonMessage(attempt.reason) : undefined,
    argv: [...(attempt.argv ?? [])],
    brVersion: attempt.brVersion ?? '',
  };
}

export function fromProgressMessage({ step, percent, remainingSeconds, speed }: ProgressMessage): Progress {
  return { step, percent, speed, ...(remainingSeconds !== undefined && { remainingSeconds }) };
}

export function fromEstimateMessage({ writtenBytes, percent }: EstimateMessage): Estimate {
  return {
    writtenBytes: Number(writtenBytes),
    ...(percent !== undefined && { percent: Math.min(Math.max(0, percent), MOST_ESTIMATED) }),
  };
}

/** What `br` waits for, in the words of its worker, cut to what a record can hold. */
export function fromStallMessage({ code, message, store, seconds }: Stall): Omit<Waiting, 'since'> & { forMs: number } {
  return {
    code: code.slice(0, MAX_ID),
    message: message.slice(0, MAX_WORKER_SENTENCE),
    store: store.slice(0, MAX_ID),
    forMs: Math.min(Math.max(0, seconds), MAX_TOLD_SECONDS) * 1_000,
  };
}

/** @param fallback for a worker that gave no reason, which is a bug of it */
export function fromReasonMessage(
  message: ReasonMessage | undefined,
  fallback: Reason = { code: 'UNKNOWN', message: 'The worker gave no reason.' },
): Reason {
  if (!message) return fallback;
  return { code: message.code, message: message.message, ...(message.detail && { detail: message.detail }) };
}

export function fromResultMessage(message: NonNullable<BackupMessage['result']>): Result {
  return {
    tso: String(message.tso),
    sizeBytes: Number(message.sizeBytes),
    files: Number(message.files),
    tidbClusterId: String(message.tidbClusterId),
    clusterVersion: message.clusterVersion,
    ...(message.remark && { remark: message.remark }),
  };
}
