/** What other services tell, as what facts are made of. */
import {
  type Backup,
  BackupState,
  DeletionState,
  type Reason,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { ChangedBackup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { type Restore, RestoreState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { FleetCluster } from '../fleet.ts';
import { type NotificationEvent, newEvent } from './decide/event.ts';
import type { SeenBackup, ToldCluster } from './decide/facts.ts';

const ENDED: ReadonlyMap<BackupState, SeenBackup['state']> = new Map([
  [BackupState.BACKUP_STATE_SUCCEEDED, 'succeeded'],
  [BackupState.BACKUP_STATE_FAILED, 'failed'],
  [BackupState.BACKUP_STATE_CANCELED, 'canceled'],
]);
/** Of what has no files any more nobody minds that it was damaged. */
const GONE: ReadonlySet<DeletionState | undefined> = new Set([
  DeletionState.DELETION_STATE_DELETED,
  DeletionState.DELETION_STATE_FORGOTTEN,
]);

/** A backup that changed; undefined where backup-service is of an earlier version, which does not tell enough. */
export function toSeenBackup(change: ChangedBackup): SeenBackup | undefined {
  const { backupId, storageId, rule, state, reason, endTime, updateTime, deletion, damaged } = change;
  if (state === BackupState.BACKUP_STATE_UNSPECIFIED || !updateTime) return undefined;
  return {
    ...{ id: backupId, storageId, rule, damaged, endedAt: endTime, changedAt: updateTime },
    ...toStanding(state, reason),
    removalFails: deletion === DeletionState.DELETION_STATE_DELETE_FAILED,
  };
}

/** A backup as people see it. @param now where it says no time of its change */
export function seenOf(backup: Backup, now: Date): SeenBackup {
  const { id, storageId, rule, state, reason, endTime, updateTime = now, deletion, verification } = backup;
  return {
    ...{ id, storageId, rule, endedAt: endTime, changedAt: updateTime },
    ...toStanding(state, reason),
    removalFails: deletion?.state === DeletionState.DELETION_STATE_DELETE_FAILED,
    damaged: verification?.damaged === true && !GONE.has(deletion?.state),
  };
}

function toStanding(state: BackupState, reason: Reason | undefined): Pick<SeenBackup, 'state' | 'code' | 'reason'> {
  // One that is queued with a reason is between two tries.
  const isWaiting = state === BackupState.BACKUP_STATE_QUEUED && reason !== undefined;
  return {
    state: ENDED.get(state) ?? (isWaiting ? 'waiting' : 'active'),
    code: reason?.code ?? '',
    reason: reason?.message ?? '',
  };
}

/** A cluster that is registered no longer has no labels. */
export function toToldCluster(id: string, cluster: Pick<FleetCluster, 'labels'> | undefined): ToldCluster {
  return { id, labels: Object.entries(cluster?.labels ?? {}).sort(([one], [other]) => (one < other ? -1 : 1)) };
}

/** The event of a restore that ended, whose id is made of the restore's; undefined of one that was canceled, or has not ended. */
export function eventOfRestore(
  restore: Restore,
  { labels }: Pick<ToldCluster, 'labels'>,
): NotificationEvent | undefined {
  const { id, state, target, source, endTime, reason } = restore;
  const clusterId = target?.clusterId ?? '';
  const about = { clusterId, labels, restoreId: id, backupId: source?.backupId ?? '', code: reason?.code ?? '' };
  const common = { id: `restore.${id}`, topic: 'restore', at: endTime ?? new Date(0) } as const;
  if (state === RestoreState.RESTORE_STATE_SUCCEEDED)
    return newEvent(
      { ...common, type: 'restore.succeeded', severity: 'info', text: `A restore into ${clusterId} succeeded.` },
      about,
    );
  if (state !== RestoreState.RESTORE_STATE_FAILED) return undefined;
  const text = `A restore into ${clusterId} failed: ${reason?.message ?? 'no reason is known.'}`;
  return newEvent({ ...common, type: 'restore.failed', severity: 'warning', text }, about);
}
