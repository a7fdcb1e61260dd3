/** The collection `checks`. */

import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import { createTaskStore } from '@tidemark/mongo/task-store';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { TaskLimits } from '@tidemark/task/task';
import type { Db } from 'mongodb';
import { type CheckCommand, type CheckDecision, decideCheck, type StorageCheck } from './storage-check.ts';

export const CHECK_INDEXES: readonly IndexSpec[] = [
  { collection: 'checks', keys: { 'task.ringAt': 1 } },
  { collection: 'checks', keys: { state: 1, createTime: 1 } },
  { collection: 'checks', keys: { 'part.of': 1 } },
];

/** What became of a command: the decision, and the document after it. */
export interface AppliedToCheck {
  readonly decision: CheckDecision;
  readonly check: StorageCheck;
}

/** Every method throws `unavailable` when the database does. */
export interface StorageCheckStore {
  get(id: string, signal: AbortSignal): Promise<StorageCheck | undefined>;
  /** Inserts a new check; one that is there already is the same. */
  insert(check: StorageCheck, signal: AbortSignal): Promise<void>;
  /** Applies a command; undefined when there is no such check. */
  apply(id: string, command: CheckCommand, signal: AbortSignal): Promise<AppliedToCheck | undefined>;
  /** The parts of a check, by the name of their worker. */
  parts(id: string, signal: AbortSignal): Promise<StorageCheck[]>;
  /** Removes the part of a worker that does the whole check, unless it is at that already. */
  withdrawPart(id: string, instance: string, signal: AbortSignal): Promise<void>;
  /** Ids of probes that a worker may do now, beside its slots. */
  wantedFrom(worker: { readonly instance: string; readonly pool: string }, signal: AbortSignal): Promise<string[]>;
  /** Ids of checks whose task is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Removes checks that are done and were asked for before an instant. */
  removeBefore(before: Date, signal: AbortSignal): Promise<void>;
}

export interface StorageCheckStoreDependencies {
  readonly now: () => Date;
  readonly limits: TaskLimits;
  /** Called with each change that was written. */
  readonly onChanged: (before: StorageCheck, after: StorageCheck) => void;
}

/** More workers than a pool has. */
const MOST_PARTS = 100;
const MOST_WANTED = 20;

/** The store over a database. */
export function createStorageCheckStore(
  db: Db,
  { now, limits, onChanged }: StorageCheckStoreDependencies,
): StorageCheckStore {
  const checks = db.collection<StorageCheck>('checks');
  const tasks = createTaskStore(checks, { now, onChanged });
  return {
    get: tasks.get,

    insert: (check, signal) =>
      persist(signal, async () => {
        try {
          await checks.insertOne(check);
        } catch (error) {
          if (!isDuplicateKey(error, '_id')) throw error; // else ours, from a try whose answer was lost
        }
      }),

    async apply(id, command, signal) {
      const prepare = async (before: StorageCheck) => (at: Date) => decideCheck(before, command, at, limits);
      const written = await tasks.apply(id, prepare, signal);
      return written && { decision: written.decision, check: written.after };
    },

    parts: (id, signal) =>
      persist(signal, () => checks.find({ 'part.of': id }, { signal }).sort({ _id: 1 }).limit(MOST_PARTS).toArray()),

    withdrawPart: (id, instance, signal) =>
      persist(signal, async () => {
        await checks.deleteOne({ 'part.of': id, 'part.instance': instance, state: 'Queued' });
      }),

    wantedFrom: ({ instance, pool }, signal) =>
      persist(signal, async () => {
        const queued = await checks
          .find({ state: 'Queued', createTime: { $gt: EPOCH, $lt: FAR } }, { signal })
          .limit(10 * MOST_PARTS)
          .toArray();
        return queued
          .filter((one) => one.kind === 'probe' && one.pool === pool && (one.part?.instance ?? instance) === instance)
          .slice(0, MOST_WANTED)
          .map(({ _id }) => _id);
      }),

    findDue: tasks.findDue,

    removeBefore: (before, signal) =>
      persist(signal, async () => {
        await checks.deleteMany({ state: 'Done', createTime: { $gt: EPOCH, $lt: before } });
      }),
  };
}
