import { inBatches } from '@tidemark/mongo/batches';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { persist } from '@tidemark/mongo/persist';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import { later } from '@tidemark/task/time';
import type { Collection, Db, Document, WithId } from 'mongodb';
import type { Backup, Task } from './backup.ts';
import { loadOfPools, loadOfStorages, type PoolLoad, type StorageLoad, type TaskSummary } from './pool-load.ts';
import type { PresenceStore } from './presence-store.ts';
import type { Quarantines } from './quarantines.ts';
import type { Restore } from './restore/restore.ts';
import type { Verification } from './verification.ts';

export const POOL_LOAD_INDEXES: readonly IndexSpec[] = [{ collection: 'clusters', keys: { pool: 1 } }];

const AT_ONCE = 1_000;
const DUE = { $gt: EPOCH, $lt: FAR };

export interface Loads {
  readonly pools: readonly PoolLoad[];
  readonly storages: readonly StorageLoad[];
}

/** A collection with tasks: which fields are read of those that have one, and what they say. */
interface Source<T extends Document> {
  readonly collection: Collection<T>;
  /** Of the task. */
  readonly place: string;
  readonly fields: readonly string[];
  readonly quarantine: Quarantine;
  /** Undefined where it is no work for a worker. */
  readonly summarize: (document: WithId<T>) => TaskSummary | undefined;
}

/**
 * Looks up the load of all pools and storages. What is read are the backups that have a task (the active ones, of which a cluster has one, and
 * those whose files are being removed), and the restores and verifications that have one.
 *
 * @throws AppError `unavailable` when the database is
 */
export function createPoolLoads(
  db: Db,
  presences: Pick<PresenceStore, 'everyone'>,
  quarantines: Pick<Quarantines, 'countedBackups' | 'countedRestores' | 'countedVerifications'>,
  now: () => Date,
) {
  const clusters = db.collection<{ readonly pool: string }>('clusters');
  const storages = db.collection<{ readonly _id: string }>('storages');

  /** But for those that cannot be counted. */
  async function withTasks<T extends Document>(source: Source<T>, signal: AbortSignal): Promise<TaskSummary[]> {
    const { collection, place, fields, quarantine, summarize } = source;
    const cursor = collection.find({ [`${place}.ringAt`]: DUE } as never, {
      projection: Object.fromEntries([...fields, ...TASK_FIELDS.map((field) => `${place}.${field}`)].map(ONE)),
      batchSize: AT_ONCE,
      signal,
    });
    const found: TaskSummary[] = [];
    for await (const batch of inBatches(cursor, AT_ONCE))
      for (const one of batch) {
        const summary = quarantine.read(String(one._id), () => {
          const read = summarize(one);
          if (read) loadOfPools([], [read], [], now());
          return { read };
        });
        if (summary?.read) found.push(summary.read);
      }
    return found;
  }

  return async (signal: AbortSignal): Promise<Loads> => {
    const backups = { collection: db.collection<Backup>('backups'), place: 'task', fields: BACKUP_FIELDS };
    const restores = {
      collection: db.collection<StoredRestore>('backups'),
      place: 'restore.task',
      fields: RESTORE_FIELDS,
    };
    const verifications = {
      collection: db.collection<Verification>('verifications'),
      place: 'task',
      fields: VERIFICATION_FIELDS,
    };
    const [pools, ids, present, ...found] = await Promise.all([
      persist(signal, () => clusters.distinct('pool')),
      persist(signal, () => storages.distinct('_id')),
      presences.everyone(signal),
      withTasks({ ...backups, quarantine: quarantines.countedBackups, summarize: ofBackup }, signal),
      withTasks({ ...restores, quarantine: quarantines.countedRestores, summarize: ofRestore }, signal),
      withTasks({ ...verifications, quarantine: quarantines.countedVerifications, summarize: ofVerification }, signal),
    ]);
    const tasks = found.flat();
    const at = now();
    return { pools: loadOfPools(pools, tasks, present, at), storages: loadOfStorages(ids, tasks, at) };
  };
}

type StoredRestore = { readonly _id: string; readonly restore: Restore };

const ONE = (field: string) => [field, 1] as const;
const TASK_FIELDS = ['kind', 'claim', 'notBefore'];
const BACKUP_FIELDS = ['startTime', 'target.pool', 'storage.id', 'storage.maxConcurrent', 'attempts.endedAt'];
const RESTORE_FIELDS = [
  ...['startTime', 'target.pool', 'source.storage.id', 'source.storage.maxConcurrent'].map(
    (field) => `restore.${field}`,
  ),
  ...['restore.attempts.endedAt', 'restore.resumes.at'],
];
const VERIFICATION_FIELDS = ['state', 'pool', 'storageId', 'createTime'];

const ofTask = ({ claim, notBefore }: Pick<Task, 'claim' | 'notBefore'>) => ({
  isHeld: claim !== undefined,
  notBefore,
});

function ofBackup({ task, target, storage, startTime, attempts }: Backup): TaskSummary | undefined {
  if (!task) return undefined;
  const since = attempts.at(-1)?.endedAt ?? startTime;
  return { kind: task.kind, pool: target.pool, storage, since, ...ofTask(task) };
}

function ofRestore({
  restore: { task, target, source, startTime, attempts, resumes },
}: StoredRestore): TaskSummary | undefined {
  if (task?.kind !== 'restore') return undefined;
  const since = later(attempts.at(-1)?.endedAt ?? startTime, resumes.at(-1)?.at ?? startTime);
  return { kind: 'restore', pool: target.pool, storage: source.storage, since, ...ofTask(task) };
}

/** One that ended has its task until that is on the record of its backup. */
function ofVerification({ task, state, pool, storageId, createTime }: Verification): TaskSummary | undefined {
  if (!task || !['Queued', 'Running', 'Canceling'].includes(state)) return undefined;
  const storage = { id: storageId, maxConcurrent: 0 };
  return { kind: 'verification', pool, storage, since: createTime, ...ofTask(task) };
}
