import type { Document } from 'mongodb';

const NEVER = '0001-01-01T00:00:00Z';
const MIB = 1024 * 1024;
const STATUS: Readonly<Record<string, string>> = {
  Queued: 'Initializing',
  Running: 'Processing',
  Canceling: 'Processing',
  Succeeded: 'Finished',
};

/** The record that the API answers with, made of the stored document in one step. */
export function bareRecord(backup: Document, { listed = false } = {}): object {
  const { result, progress, cancel, deletion } = backup;
  const sizeBytes = result?.sizeBytes ?? 0;
  return {
    id: backup._id,
    clusterId: backup.clusterId,
    backupType: backup.type,
    backupMethod: backup.method,
    backupMode: backup.mode,
    filePath: backup.path,
    size: sizeBytes / MIB,
    backupTso: result?.tso ?? '0',
    status: STATUS[backup.state] ?? 'Failed',
    startTime: timeOf(backup.startTime),
    endTime: timeOf(backup.endTime),
    createTime: timeOf(backup.createTime),
    updateTime: timeOf(backup.updateTime),
    deleteTime: timeOf(backup.deleteTime),
    state: backup.state,
    progress: progress ?? { step: '', percent: 0 },
    sizeBytes,
    files: result?.files ?? 0,
    ...(backup.reason && { reason: backup.reason }),
    attempts: backup.attempts.map((attempt: Document, index: number) => ({
      number: index + 1,
      worker: attempt.worker,
      filePath: attempt.path,
      startTime: timeOf(attempt.startedAt),
      endTime: timeOf(attempt.endedAt),
      outcome: attempt.outcome ?? '',
      ...(attempt.reason && { reason: attempt.reason }),
      ...(attempt.argv && !listed && { argv: attempt.argv }),
      ...(attempt.brVersion && { brVersion: attempt.brVersion }),
    })),
    ...(cancel && { cancel: { at: timeOf(cancel.at), by: cancel.by, reason: cancel.reason } }),
    deletion: { state: deletion.state },
    holds: backup.holds,
    pinned: backup.holds.length > 0,
    storageId: backup.storage.id,
    ...(backup.rule && { rule: backup.rule }),
    origin: backup.origin,
    createdBy: backup.createdBy,
    deadline: timeOf(backup.deadline),
    revision: backup.revision,
  };
}

function timeOf(time: Date | null | undefined): string {
  return time ? time.toISOString() : NEVER;
}
