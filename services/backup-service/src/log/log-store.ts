/** The collection `logBackups`: one document for each cluster whose log backup was ever wanted, or that was ever restored into. */
import { inBatches } from '@tidemark/mongo/batches';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import { createTaskStore } from '@tidemark/mongo/task-store';
import { EPOCH } from '@tidemark/mongo/time-range';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import type { Db } from 'mongodb';
import type { LogCommand, LogDecision, LogLimits } from './decide/command.ts';
import { decideLog } from './decide/decide.ts';
import { type LogBackup, newLogBackup } from './log-backup.ts';
import { type ToldLog, told } from './metrics.ts';

export const LOG_INDEXES: readonly IndexSpec[] = [
  { collection: 'logBackups', keys: { 'task.ringAt': 1 } },
  { collection: 'logBackups', keys: { 'generations.storage.id': 1 } },
  { collection: 'logBackups', keys: { truncationDue: 1 } },
];

/** What became of a command: the decision, and the document after it. */
export interface AppliedToLog {
  readonly decision: LogDecision;
  readonly log: LogBackup;
}

/** Every method throws `unavailable` when the database does. */
export interface LogStore {
  get(clusterId: string, signal: AbortSignal): Promise<LogBackup | undefined>;
  /** Applies a command; undefined where nothing was ever wanted of the cluster. */
  apply(clusterId: string, command: LogCommand, signal: AbortSignal): Promise<AppliedToLog | undefined>;
  /** Applies a command that also comes first: the document is made where there is none. */
  applyFirst(
    clusterId: string,
    command: Extract<LogCommand, { kind: 'want' | 'block' | 'giveBack' }>,
    signal: AbortSignal,
  ): Promise<AppliedToLog>;
  /** Clusters whose log backup is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** What metrics tell of each that is wanted, or of which something is left to do. */
  toldOfAll(signal: AbortSignal): Promise<ToldLog[]>;
  /** Every document, in no order, without its task: one walk over the collection, a few hundred at a time. */
  scan(signal: AbortSignal): AsyncIterable<LogBackup[]>;
  /** Whether a log was written to a storage that was not removed. */
  anyInStorage(storageId: string, signal: AbortSignal): Promise<boolean>;
}

export interface LogStoreDependencies {
  readonly now: () => Date;
  readonly limits: LogLimits;
  /** Of those of which nothing can be told. */
  readonly quarantine: Quarantine;
  /** Called with each change that was written. */
  readonly onChanged: (before: LogBackup, after: LogBackup) => void;
}

const SCANNED_AT_ONCE = 500;

/** The store over a database. */
export function createLogStore(db: Db, { now, limits, quarantine, onChanged }: LogStoreDependencies): LogStore {
  const logs = db.collection<LogBackup>('logBackups');
  const tasks = createTaskStore(logs, { now, onChanged });

  async function apply(clusterId: string, command: LogCommand, signal: AbortSignal): Promise<AppliedToLog | undefined> {
    const prepare = async (before: LogBackup) => (at: Date) => decideLog(before, command, at, limits);
    const written = await tasks.apply(clusterId, prepare, signal);
    return written && { decision: written.decision, log: written.after };
  }

  return {
    get: tasks.get,
    apply,

    async applyFirst(clusterId, command, signal) {
      const applied = await apply(clusterId, command, signal);
      if (applied) return applied;
      await persist(signal, async () => {
        try {
          await logs.insertOne(newLogBackup(clusterId, now()));
        } catch (error) {
          if (!isDuplicateKey(error, '_id')) throw error; // else ours, from a try whose answer was lost, or another's
        }
      });
      const first = await apply(clusterId, command, signal);
      if (!first) throw new Error(`the log backup of ${clusterId} was removed while it was made`);
      return first;
    },

    findDue: tasks.findDue,

    toldOfAll: (signal) =>
      persist(signal, async () => {
        const open = [
          { wanted: { $ne: 'off' as const } },
          { 'cleanup.0': { $exists: true } },
          { truncationDue: { $gt: EPOCH } },
        ];
        const found: ToldLog[] = [];
        for await (const log of logs.find({ $or: open }, { projection: { task: 0 }, signal })) {
          const one = quarantine.read(log._id, () => told(log, now()));
          if (one) found.push(one);
        }
        return found;
      }),

    scan: (signal) =>
      inBatches(logs.find({}, { projection: { task: 0 }, signal, batchSize: SCANNED_AT_ONCE }), SCANNED_AT_ONCE),

    anyInStorage: (storageId, signal) =>
      persist(signal, async () => {
        const found = await logs.findOne({ 'generations.storage.id': storageId }, { projection: { _id: 1 }, signal });
        return found !== null;
      }),
  };
}
