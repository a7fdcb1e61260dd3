/** What is taken out of logs, in the documents of `log-store.ts`. */
import { persist } from '@tidemark/mongo/persist';
import { createTaskStore } from '@tidemark/mongo/task-store';
import { EPOCH } from '@tidemark/mongo/time-range';
import type { TaskLimits } from '@tidemark/task/task';
import type { Db } from 'mongodb';
import type { FinishedBackups } from '../finished-backups.ts';
import { readAllSnapshots } from '../recovery/recovery-state.ts';
import { decideTruncation, type TruncationCommand, type TruncationDecision } from './decide/truncation.ts';
import type { LogBackup } from './log-backup.ts';

/** What became of a command: the decision, and the document after it. */
export interface AppliedTruncation {
  readonly decision: TruncationDecision;
  readonly log: LogBackup;
}

/** Every method throws `unavailable` when the database does. */
export interface TruncationStore {
  /** Applies a command; undefined where the cluster has no log backup. What is taken is judged by what is known at the write (P5). */
  apply(clusterId: string, command: TruncationCommand, signal: AbortSignal): Promise<AppliedTruncation | undefined>;
  /** Clusters with a truncation that is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Clusters whose log backup was ever wanted, by id, from behind one on. */
  findWithHorizon(after: string, limit: number, signal: AbortSignal): Promise<string[]>;
}

export interface TruncationStoreDependencies {
  readonly now: () => Date;
  readonly limits: TaskLimits;
  readonly finished: Pick<FinishedBackups, 'snapshotsSince' | 'snapshotsAskedToGo'>;
  /** Called with each change that was written. */
  readonly onChanged: (before: LogBackup, after: LogBackup) => void;
}

const JUDGED: readonly TruncationCommand['kind'][] = ['retain', 'truncate', 'remove', 'claim'];

/** The store over a database. */
export function createTruncationStore(
  db: Db,
  { now, limits, finished, onChanged }: TruncationStoreDependencies,
): TruncationStore {
  const logs = db.collection<LogBackup>('logBackups');
  const tasks = createTaskStore(logs, { now, onChanged });
  return {
    async apply(clusterId, command, signal) {
      const prepare = async (before: LogBackup) => {
        const snapshots = JUDGED.includes(command.kind) ? await readAllSnapshots(before, finished, signal) : [];
        return (at: Date) => decideTruncation(before, command, snapshots, at, limits);
      };
      const written = await tasks.apply(clusterId, prepare, signal);
      return written && { decision: written.decision, log: written.after };
    },

    findDue: (at, limit, signal) =>
      persist(signal, () =>
        logs
          .find({ truncationDue: { $gt: EPOCH, $lte: at } }, { projection: { _id: 1 }, signal })
          .sort({ truncationDue: 1 })
          .limit(limit)
          .map(({ _id }) => _id)
          .toArray(),
      ),

    findWithHorizon: (after, limit, signal) =>
      persist(signal, () =>
        logs
          .find({ _id: { $gt: after }, 'settings.retentionDays': { $gt: 0 } }, { projection: { _id: 1 }, signal })
          .sort({ _id: 1 })
          .limit(limit)
          .map(({ _id }) => _id)
          .toArray(),
      ),
  };
}
