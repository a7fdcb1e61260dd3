/**
 * The collection `occurrences`: one document for each window that came. The key decides who was first (exactly once);
 * whatever a copy leaves unfinished, any other finishes.
 */
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, toStoreError } from '@tidemark/mongo/mongo-error';
import type { Db } from 'mongodb';
import type { Occurrence } from './catch-up.ts';

export const OCCURRENCE_INDEXES: readonly IndexSpec[] = [
  { collection: 'occurrences', keys: { state: 1, nextTryAt: 1 } },
  { collection: 'occurrences', keys: { clusterId: 1, opensAt: -1, _id: -1 } },
  { collection: 'occurrences', keys: { opensAt: -1, _id: -1 } },
];

export interface OccurrenceStore {
  /** Whether this call made it; false when another did before. */
  insert(occurrence: Occurrence): Promise<boolean>;
  findPending(now: Date, limit: number, signal: AbortSignal): Promise<Occurrence[]>;
  /** Takes a pending one up until `nextTryAt`, unless another copy did. */
  takeUp(occurrence: Occurrence, nextTryAt: Date): Promise<boolean>;
  /** Remembers why a pending one waits. */
  wait(id: string, reason: string): Promise<void>;
  /** Decides a pending one, once. */
  decide(id: string, decision: Pick<Occurrence, 'state' | 'backupId' | 'reason' | 'decidedAt'>): Promise<boolean>;
  /** Newest first. */
  list(
    clusterIds: readonly string[],
    page: { readonly skip: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ occurrences: Occurrence[]; total: number }>;
}

const EPOCH = new Date(0);

export function createOccurrenceStore(db: Db): OccurrenceStore {
  const occurrences = db.collection<Occurrence>('occurrences');
  async function orStoreError<R>(run: () => Promise<R>): Promise<R> {
    try {
      return await run();
    } catch (error) {
      throw toStoreError(error);
    }
  }
  return {
    insert: (occurrence) =>
      orStoreError(async () => {
        try {
          await occurrences.insertOne(occurrence);
          return true;
        } catch (error) {
          if (isDuplicateKey(error)) return false;
          throw error;
        }
      }),
    findPending: (now, limit, signal) =>
      orStoreError(() =>
        occurrences
          .find({ state: 'Pending', nextTryAt: { $gt: EPOCH, $lte: now } }, { signal })
          .sort({ nextTryAt: 1 })
          .limit(limit)
          .toArray(),
      ),
    takeUp: ({ _id, nextTryAt: before }, nextTryAt) =>
      orStoreError(async () => {
        const { matchedCount } = await occurrences.updateOne(
          { _id, state: 'Pending', nextTryAt: before },
          { $set: { nextTryAt } },
        );
        return matchedCount === 1;
      }),
    wait: (_id, reason) =>
      orStoreError(async () => {
        await occurrences.updateOne({ _id, state: 'Pending' }, { $set: { reason } });
      }),
    decide: (_id, decision) =>
      orStoreError(async () => {
        const { matchedCount } = await occurrences.updateOne({ _id, state: 'Pending' }, { $set: decision });
        return matchedCount === 1;
      }),
    list: (clusterIds, { skip, limit }, signal) =>
      orStoreError(async () => {
        const query =
          clusterIds.length === 0
            ? { opensAt: { $gt: EPOCH } }
            : { clusterId: { $in: [...clusterIds] }, opensAt: { $gt: EPOCH } };
        const [found, total] = await Promise.all([
          occurrences.find(query, { signal }).sort({ opensAt: -1, _id: -1 }).skip(skip).limit(limit).toArray(),
          occurrences.countDocuments(query, { signal }),
        ]);
        return { occurrences: found, total };
      }),
  };
}
