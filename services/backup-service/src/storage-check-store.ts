/** The collection `checks`, written in the one form that backups are: read → decide → `updateOne({_id, revision})`. */
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import type { Db } from 'mongodb';
import { persist } from './persist.ts';
import {
  type CheckCommand,
  type CheckDecision,
  type CheckLimits,
  decideCheck,
  type StorageCheck,
} from './storage-check.ts';

export const CHECK_INDEXES: readonly IndexSpec[] = [
  { collection: 'checks', keys: { 'task.ringAt': 1 } },
  { collection: 'checks', keys: { state: 1, createTime: 1 } },
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
  /** Ids of checks whose task is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Removes checks that are done and were asked for before an instant. */
  removeBefore(before: Date, signal: AbortSignal): Promise<void>;
}

export interface StorageCheckStoreDependencies {
  readonly now: () => Date;
  readonly limits: CheckLimits;
  /** Told of each change that was written. */
  readonly onChanged: (before: StorageCheck, after: StorageCheck) => void;
}

const EPOCH = new Date(0);

/** The store over a database. */
export function createStorageCheckStore(
  db: Db,
  { now, limits, onChanged }: StorageCheckStoreDependencies,
): StorageCheckStore {
  const checks = db.collection<StorageCheck>('checks');
  return {
    get: (id, signal) => persist(signal, async () => (await checks.findOne({ _id: id }, { signal })) ?? undefined),

    insert: (check, signal) =>
      persist(signal, async () => {
        try {
          await checks.insertOne(check);
        } catch (error) {
          if (!isDuplicateKey(error, '_id')) throw error; // else ours, from a try whose answer was lost
        }
      }),

    apply: (id, command, signal) =>
      persist<AppliedToCheck | undefined>(signal, async () => {
        const before = await checks.findOne({ _id: id }, { signal });
        if (!before) return undefined;
        const at = now();
        const decision = decideCheck(before, command, at, limits);
        if (!decision.next) return { decision, check: before };
        const { _id, ...after } = { ...decision.next, revision: before.revision + 1, updateTime: at };
        const { matchedCount } = await checks.updateOne({ _id, revision: before.revision }, { $set: after });
        if (matchedCount !== 1) return 'again';
        onChanged(before, { _id, ...after });
        return { decision, check: { _id, ...after } };
      }),

    findDue: (at, limit, signal) =>
      persist(signal, () =>
        checks
          .find({ 'task.ringAt': { $gt: EPOCH, $lte: at } }, { projection: { _id: 1 }, signal })
          .sort({ 'task.ringAt': 1 })
          .limit(limit)
          .map(({ _id }) => _id)
          .toArray(),
      ),

    removeBefore: (before, signal) =>
      persist(signal, async () => {
        await checks.deleteMany({ state: 'Done', createTime: { $gt: EPOCH, $lt: before } });
      }),
  };
}
