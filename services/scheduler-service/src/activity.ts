/** What runs in clusters and what ended there last, and where that changed, as backup-service knows it. */
import { MAX_FLEET_PAGE } from '@tidemark/limits/limits';
import type { ChangedBackup, ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from './backends.ts';

const PAGE = 500;

/** Of each of the clusters that has a backup. */
export async function activityOf(
  { backups }: Pick<Backends, 'backups'>,
  clusterIds: readonly string[],
  options: CallOptions,
): Promise<Map<string, ClusterActivity>> {
  const found = new Map<string, ClusterActivity>();
  for (let from = 0; from < clusterIds.length; from += MAX_FLEET_PAGE) {
    const { clusters } = await backups.listActivity(
      { clusterIds: clusterIds.slice(from, from + MAX_FLEET_PAGE) },
      options,
    );
    for (const one of clusters) found.set(one.clusterId, one);
  }
  return found;
}

/** Where to begin to ask for changes. */
export async function beginOfChanges(
  { backups }: Pick<Backends, 'backups'>,
  options: CallOptions,
): Promise<Date | undefined> {
  const { nextAfter } = await backups.listChangedClusters(
    { after: undefined, limit: 1, pageToken: '', active: true },
    options,
  );
  return nextAfter;
}

/** The backups that changed, at whatever stage of their lives, and where the next question goes on; some are told again by that. */
export async function changesAfter(
  { backups }: Pick<Backends, 'backups'>,
  begin: Date,
  options: CallOptions,
): Promise<{ readonly changes: readonly ChangedBackup[]; readonly nextAfter: Date }> {
  const changes: ChangedBackup[] = [];
  let after = begin;
  for (let pageToken = '', more = true; more; ) {
    const answer = await backups.listChangedClusters({ after, limit: PAGE, pageToken, active: true }, options);
    changes.push(...answer.backups);
    pageToken = answer.nextPageToken;
    if (pageToken !== '') continue;
    after = answer.nextAfter ?? after;
    more = answer.more;
  }
  return { changes, nextAfter: after };
}

/** What is told again by the next question is younger than that. */
const OVERLAP_MS = 10_000;

/** The changes that were taken in, for as long as they may be told again. */
export interface TakenIn {
  isNew(change: ChangedBackup): boolean;
  add(changes: readonly ChangedBackup[]): void;
  /** Forgets what the question from there on does not tell again. */
  forgetBefore(nextAfter: Date): void;
  clear(): void;
}

export function createTakenIn(): TakenIn {
  const byBackup = new Map<string, ChangedBackup>();
  return {
    isNew: ({ backupId, revision }) => byBackup.get(backupId)?.revision !== revision,
    add(changes) {
      for (const one of changes) byBackup.set(one.backupId, one);
    },
    forgetBefore(nextAfter) {
      const oldest = nextAfter.getTime() - OVERLAP_MS;
      for (const [id, { updateTime }] of byBackup) if ((updateTime?.getTime() ?? 0) < oldest) byBackup.delete(id);
    },
    clear: () => byBackup.clear(),
  };
}
