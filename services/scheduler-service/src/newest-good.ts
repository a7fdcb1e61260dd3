import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from './backends.ts';

/** Of a cluster's good backups. The moments are absent where backup-service is of an earlier version. */
export interface NewestGood {
  /** The end of the newest. */
  readonly endedAt: Date;
  /** The newest moment to which the cluster can be brought back. */
  readonly recoveryPointAt?: Date;
  /** The newest of which a verification found the backup good; absent where none has. */
  readonly verifiedPointAt?: Date;
}

/**
 * The newest good backup of each cluster that has one.
 *
 * @param clusterIds at most 1000
 */
export async function newestGood(
  { backups }: Pick<Backends, 'backups'>,
  clusterIds: readonly string[],
  options: CallOptions,
): Promise<Map<string, NewestGood>> {
  const found = new Map<string, NewestGood>();
  if (clusterIds.length === 0) return found;
  for (let pageToken = ''; ; ) {
    const answer = await backups.listNewestGood({ clusterIds: [...clusterIds], pageToken }, options);
    for (const { clusterId, endTime, snapshotTime, verifiedSnapshotTime } of answer.backups)
      if (endTime)
        found.set(clusterId, {
          endedAt: endTime,
          ...(snapshotTime && { recoveryPointAt: snapshotTime }),
          ...(verifiedSnapshotTime && { verifiedPointAt: verifiedSnapshotTime }),
        });
    pageToken = answer.nextPageToken;
    if (pageToken === '') return found;
  }
}
