import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from './backends.ts';

/**
 * The end of the newest good backup of each cluster that has one.
 *
 * @param clusterIds at most 1000
 */
export async function newestGoodEnds(
  { backups }: Pick<Backends, 'backups'>,
  clusterIds: readonly string[],
  options: CallOptions,
): Promise<Map<string, Date>> {
  const found = new Map<string, Date>();
  if (clusterIds.length === 0) return found;
  for (let pageToken = ''; ; ) {
    const answer = await backups.listNewestGood({ clusterIds: [...clusterIds], pageToken }, options);
    for (const { clusterId, endTime } of answer.backups) if (endTime) found.set(clusterId, endTime);
    pageToken = answer.nextPageToken;
    if (pageToken === '') return found;
  }
}
