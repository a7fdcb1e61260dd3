/** The collection `notification_conditions`: what is or was bad, and the events that are not in the outbox yet. */

import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import { EPOCH } from '@tidemark/mongo/time-range';
import type { Db } from 'mongodb';
import { type ConditionDecision, type ConditionState, type Level, spread } from './decide/condition.ts';

export const CONDITION_INDEXES: readonly IndexSpec[] = [
  { collection: 'notification_conditions', keys: { pendingSince: 1 } },
  { collection: 'notification_conditions', keys: { level: 1, since: 1 } },
];

const LEVELS = ['critical', 'warning'] as const;
/** One may have many records. */
const BATCH = 100;

/** As it is stored: some servers do not find by what is not null. */
type Stored = ConditionState & { readonly pendingSince: Date | null };

/** Every method throws `unavailable` when the database does. */
export interface ConditionStore {
  /** Those that are there, by id. */
  find(ids: readonly string[], signal: AbortSignal): Promise<Map<string, ConditionState>>;
  /** Takes in a fact by compare-and-set. @returns the state after it, and whether it waits for an event to be spread */
  change(
    id: string,
    decide: (state: ConditionState | undefined) => ConditionDecision,
    signal: AbortSignal,
  ): Promise<{ readonly state: ConditionState | undefined; readonly isBusy: boolean }>;
  /** Some with an event that is to be spread, the longest pending first. */
  findPending(now: Date, limit: number, signal: AbortSignal): Promise<ConditionState[]>;
  /** The event is in the outbox for every receiver. */
  spread(id: string, eventId: string, signal: AbortSignal): Promise<void>;
  /** What `pick` makes of all that is bad, of one level or of all, the oldest of each level first; it may be called again. */
  ofBad<T>(
    level: Exclude<Level, 'good'> | 'all',
    pick: (bad: AsyncIterable<ConditionState>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T>;
  /** Forgets what has been good since before. */
  removeGood(before: Date, signal: AbortSignal): Promise<void>;
  /** Forgets those of a subject that is gone, and of which nothing is to be spread. */
  remove(ids: readonly string[], signal: AbortSignal): Promise<void>;
}

export function createConditionStore(db: Db): ConditionStore {
  const conditions = db.collection<Stored>('notification_conditions');
  const get = async (id: string, signal: AbortSignal) =>
    (await conditions.findOne({ _id: id }, { signal })) ?? undefined;

  async function write(before: ConditionState | undefined, next: ConditionState): Promise<boolean> {
    const revision = (before?.revision ?? 0) + 1;
    const after: Stored = { ...next, revision, pendingSince: next.pending?.at ?? null };
    try {
      if (before)
        return (await conditions.replaceOne({ _id: after._id, revision: before.revision }, after)).matchedCount === 1;
      await conditions.insertOne(after);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  return {
    find: (ids, signal) =>
      persist(signal, async () => {
        const found = await conditions.find({ _id: { $in: [...ids] } }, { signal }).toArray();
        return new Map(found.map((one) => [one._id, one]));
      }),
    change: (id, decide, signal) =>
      persist(signal, async () => {
        const before = await get(id, signal);
        const { next, isBusy = false } = decide(before);
        if (!next) return { state: before, isBusy };
        return (await write(before, next)) ? { state: next, isBusy: false } : 'again';
      }),
    findPending: (now, limit, signal) =>
      persist(signal, () =>
        conditions
          .find({ pendingSince: { $gt: EPOCH, $lte: now } }, { signal })
          .sort({ pendingSince: 1 })
          .limit(limit)
          .toArray(),
      ),
    spread: (id, eventId, signal) =>
      persist(signal, async () => {
        const before = await get(id, signal);
        const next = before && spread(before, eventId);
        if (next && !(await write(before, next))) return 'again';
        return undefined;
      }),
    ofBad: (level, pick, signal) =>
      persist(signal, async () => {
        const levels = level === 'all' ? LEVELS : [level];
        await using bad = conditions
          .find({ level: { $in: levels } }, { signal })
          .sort({ level: 1, since: 1 })
          .batchSize(BATCH);
        return await pick(bad);
      }),
    removeGood: (before, signal) =>
      persist(signal, async () => {
        await conditions.deleteMany({ level: 'good', pendingSince: null, since: { $gt: EPOCH, $lt: before } });
      }),
    remove: (ids, signal) =>
      persist(signal, async () => {
        await conditions.deleteMany({ _id: { $in: [...ids] }, pendingSince: null });
      }),
  };
}
