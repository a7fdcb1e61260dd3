/**
 * The collection `workers`: one document for each run of a worker, which every copy reads.
 *
 * W1. A report replaces the one before; the last to arrive counts, and the next is never far.
 * W2. What is stale is nobody: it is not read, and removed with time.
 * W3. There are at most so many: of more, those that come later are not kept, as if they had not reported.
 * W4. One that is damaged is nobody either, until its next report, which replaces it.
 */

import { MAX_WORKERS } from '@tidemark/limits/limits';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import { plus } from '@tidemark/task/time';
import type { Db } from 'mongodb';
import { loadOfPools } from './pool-load.ts';
import { type Presence, STALE_MS, toPeers, withoutReplaced } from './presence.ts';

export const PRESENCE_INDEXES: readonly IndexSpec[] = [{ collection: 'workers', keys: { pool: 1, seenAt: 1 } }];

/** Every method throws `unavailable` when the database does. */
export interface PresenceStore {
  /** Takes a report down; answers whether it was kept. */
  report(presence: Omit<Presence, 'firstSeenAt' | 'seenAt'>, signal: AbortSignal): Promise<boolean>;
  /** Those of a pool that reported themselves a moment ago, by name. */
  present(pool: string, signal: AbortSignal): Promise<Presence[]>;
  /** Those of all pools. */
  everyone(signal: AbortSignal): Promise<Presence[]>;
  /** Those of all pools that reported themselves in the last ten minutes. */
  recent(signal: AbortSignal): Promise<Presence[]>;
  /** Removes those that are long gone. */
  removeStale(signal: AbortSignal): Promise<void>;
}

/** How long one that is gone stays on record, for whoever looks behind the service. */
const KEPT_MS = 600_000;

/** @param now database time */
export function createPresenceStore(db: Db, quarantine: Quarantine, now: () => Date): PresenceStore {
  const workers = db.collection<Presence>('workers');
  /** Whether all can be asked of it that is. */
  const isWhole = (presence: Presence) =>
    quarantine.read(presence._id, () => [toPeers([presence], ''), loadOfPools([], [], [presence], now())]) !==
    undefined;
  const seenWithin = (ms: number, signal: AbortSignal) =>
    persist(signal, async () => {
      const found = await workers
        .find({ seenAt: { $gt: plus(now(), -ms), $lt: FAR } }, { signal })
        .limit(MAX_WORKERS)
        .toArray();
      return [...Map.groupBy(found.filter(isWhole), ({ pool }) => pool).values()].flatMap(withoutReplaced);
    });
  const removeStale = (signal: AbortSignal) =>
    persist(signal, async () => {
      await workers.deleteMany({ seenAt: { $gt: EPOCH, $lt: plus(now(), -KEPT_MS) } });
    });

  return {
    async report({ _id, ...reported }, signal) {
      const seenAt = now();
      const known = await persist(signal, async () => {
        const { matchedCount } = await workers.updateOne({ _id }, { $set: { ...reported, seenAt } });
        return matchedCount === 1;
      });
      if (known) return true;
      await removeStale(signal);
      return await persist(signal, async () => {
        if ((await workers.countDocuments({}, { limit: MAX_WORKERS, signal })) >= MAX_WORKERS) return false;
        try {
          await workers.insertOne({ _id, ...reported, firstSeenAt: seenAt, seenAt });
        } catch (error) {
          if (!isDuplicateKey(error, '_id')) throw error; // else ours, from a try whose answer was lost
        }
        return true;
      });
    },

    present: (pool, signal) =>
      persist(signal, async () => {
        const found = await workers
          .find({ pool, seenAt: { $gt: plus(now(), -STALE_MS), $lt: FAR } }, { signal })
          .sort({ worker: 1, _id: 1 })
          .limit(MAX_WORKERS)
          .toArray();
        return withoutReplaced(found.filter(isWhole));
      }),

    everyone: (signal) => seenWithin(STALE_MS, signal),
    recent: (signal) => seenWithin(KEPT_MS, signal),

    removeStale,
  };
}
