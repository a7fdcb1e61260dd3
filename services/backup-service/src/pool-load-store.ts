import { inBatches } from '@tidemark/mongo/batches';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import type { Db } from 'mongodb';
import type { Backup } from './backup.ts';
import { persist } from './persist.ts';
import { loadOfPools, type PoolLoad, type TaskSummary } from './pool-load.ts';
import type { PresenceStore } from './presence-store.ts';

export const POOL_LOAD_INDEXES: readonly IndexSpec[] = [{ collection: 'clusters', keys: { pool: 1 } }];

const AT_ONCE = 1_000;
const SUMMARY = {
  state: 1,
  startTime: 1,
  'target.pool': 1,
  'storage.id': 1,
  'storage.maxConcurrent': 1,
  'task.kind': 1,
  'task.claim': 1,
  'task.notBefore': 1,
  'attempts.endedAt': 1,
} as const;

/**
 * Looks up the load of all pools. What is read are the backups that have a task: the active ones, of which a cluster has one,
 * and those whose files are being removed.
 *
 * @throws AppError `unavailable` when the database is
 */
export function createPoolLoads(
  db: Db,
  presences: Pick<PresenceStore, 'everyone'>,
  quarantine: Quarantine,
  now: () => Date,
) {
  const backups = db.collection<Backup>('backups');
  const clusters = db.collection<{ readonly pool: string }>('clusters');

  /** But for those that cannot be counted. */
  async function withTasks(signal: AbortSignal): Promise<TaskSummary[]> {
    const filter = { 'task.ringAt': { $gt: EPOCH, $lt: FAR } };
    const cursor = backups.find<TaskSummary & { readonly _id: string }>(filter, {
      projection: SUMMARY,
      batchSize: AT_ONCE,
      signal,
    });
    const found: TaskSummary[] = [];
    for await (const batch of inBatches(cursor, AT_ONCE))
      found.push(...batch.filter((one) => quarantine.read(one._id, () => loadOfPools([], [one], [], now()))));
    return found;
  }

  return async (signal: AbortSignal): Promise<PoolLoad[]> => {
    const [pools, tasks, present] = await Promise.all([
      persist(signal, () => clusters.distinct('pool')),
      withTasks(signal),
      presences.everyone(signal),
    ]);
    return loadOfPools(pools, tasks, present, now());
  };
}
