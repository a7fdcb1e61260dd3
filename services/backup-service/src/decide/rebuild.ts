import type { Backup, StorageSnapshot } from '../backup.ts';
import type { Manifest } from '../manifest.ts';
import { ownKey } from './vocabulary.ts';

/** The remark of a record that a rebuild made or brought back. */
export const REBUILT = 'rebuilt from its manifest';

/** The record of a good backup whose document was lost: over, kept, and occupying nothing. */
export function rebuild(manifest: Manifest, storage: StorageSnapshot, requestId: string, now: Date): Backup {
  const { backupId, clusterId, mode, origin, rule, createdBy, request, target, basePath, path, startTime, endTime } =
    manifest;
  const own = ownKey({ _id: backupId });
  return {
    _id: backupId,
    request: { ...request, id: requestId },
    createdBy,
    clusterId,
    mode,
    type: 'full',
    method: 'physical',
    origin,
    ...(rule !== undefined && { rule }),
    target,
    storage: { ...storage, takenAt: now },
    basePath,
    path,
    leftovers: [],
    state: 'Succeeded',
    activeKey: own,
    slotKey: own,
    deadline: endTime,
    fence: 0,
    task: null,
    progress: null,
    result: { ...manifest.result, remark: REBUILT },
    reason: null,
    failures: 0,
    losses: 0,
    attempts: [],
    cancel: null,
    deletion: { state: 'None' },
    holds: [],
    startTime,
    endTime,
    createTime: startTime,
    updateTime: now,
    deleteTime: null,
    revision: 1,
    schemaVersion: 1,
  };
}
