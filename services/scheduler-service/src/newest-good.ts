import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from './backends.ts';

/** Of a cluster's good backups. What else than the end is absent where backup-service is of an earlier version. */
export interface NewestGood {
  /** The end of the newest. */
  readonly endedAt: Date;
  /** When the newest was asked for. */
  readonly startedAt?: Date;
  /** Of the newest. */
  readonly sizeBytes?: number;
  /** The newest moment to which the cluster can be brought back. */
  readonly recoveryPointAt?: Date;
  /** The newest of which a verification found the backup good; absent where none has. */
  readonly verifiedPointAt?: Date;
}

/** How the last backup of a cluster ended. */
export interface LastBackup {
  readonly state: 'Succeeded' | 'Failed' | 'Canceled';
  readonly endedAt: Date;
}

/** How things stand with the backups of a cluster. */
export interface Standing {
  /** Absent where it has no good backup. */
  readonly newest?: NewestGood;
  /** Absent where none has ended, and where backup-service is of an earlier version. */
  readonly last?: LastBackup;
}

const STATES: { readonly [state in BackupState]?: LastBackup['state'] } = {
  [BackupState.BACKUP_STATE_SUCCEEDED]: 'Succeeded',
  [BackupState.BACKUP_STATE_FAILED]: 'Failed',
  [BackupState.BACKUP_STATE_CANCELED]: 'Canceled',
};

/**
 * Of each cluster that has one, its newest good backup, and how its last backup ended.
 *
 * @param clusterIds at most 1000
 */
export async function standingsOf(
  { backups }: Pick<Backends, 'backups'>,
  clusterIds: readonly string[],
  options: CallOptions,
): Promise<Map<string, Standing>> {
  const found = new Map<string, Standing>();
  if (clusterIds.length === 0) return found;
  for (let pageToken = ''; ; ) {
    const answer = await backups.listNewestGood({ clusterIds: [...clusterIds], pageToken }, options);
    for (const { clusterId, endTime, startTime, sizeBytes, snapshotTime, verifiedSnapshotTime } of answer.backups)
      if (endTime) {
        const newest = {
          endedAt: endTime,
          ...(startTime && { startedAt: startTime }),
          ...(sizeBytes > 0n && { sizeBytes: Number(sizeBytes) }),
          ...(snapshotTime && { recoveryPointAt: snapshotTime }),
          ...(verifiedSnapshotTime && { verifiedPointAt: verifiedSnapshotTime }),
        };
        found.set(clusterId, { ...found.get(clusterId), newest });
      }
    for (const { clusterId, state: code, endTime } of answer.last) {
      const state = STATES[code];
      if (state && endTime) found.set(clusterId, { ...found.get(clusterId), last: { state, endedAt: endTime } });
    }
    pageToken = answer.nextPageToken;
    if (pageToken === '') return found;
  }
}
