/**
 * The collection `occurrences`: one document for each window that came. The key decides who was first (exactly once);
 * whatever a copy leaves unfinished, any other finishes.
 */
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, orStoreError } from '@tidemark/mongo/mongo-error';
import { createPages, type Page, type PageWish } from '@tidemark/mongo/pages';
import type { Db, Filter } from 'mongodb';
import type { Occurrence, OccurrenceState, Why } from './catch-up.ts';
import { type OccurrenceFilter, toSelection } from './occurrence-filter.ts';

export const OCCURRENCE_INDEXES: readonly IndexSpec[] = [
  { collection: 'occurrences', keys: { state: 1, nextTryAt: 1 } },
  { collection: 'occurrences', keys: { clusterId: 1, opensAt: -1, _id: -1 } },
  { collection: 'occurrences', keys: { opensAt: -1, _id: -1 } },
  { collection: 'occurrences', keys: { stopAt: 1 } },
  { collection: 'occurrences', keys: { decidedAt: 1 } },
];

/** How a pending one ended. */
export type Outcome = Pick<Occurrence, 'state' | 'backupId' | 'code' | 'reason' | 'stopAt' | 'windowEnd' | 'decidedAt'>;

export interface OccurrenceStore {
  /** Whether this call made it; false when another did before. */
  insert(occurrence: Occurrence): Promise<boolean>;
  get(id: string, signal: AbortSignal): Promise<Occurrence | undefined>;
  /** Those to attend to, the clusters whose newest good backup is oldest leading. */
  findPending(now: Date, limit: number, signal: AbortSignal): Promise<Occurrence[]>;
  /** Late ones of the cluster's other rules that may have started since. */
  findSiblings(occurrence: Occurrence, signal: AbortSignal): Promise<Occurrence[]>;
  /** Takes a pending one up until `nextTryAt`, unless another copy did. */
  takeUp(occurrence: Occurrence, nextTryAt: Date): Promise<boolean>;
  /** Remembers why a pending one waits. */
  wait(id: string, why: Why): Promise<void>;
  /** Decides a pending one, once. */
  decide(id: string, outcome: Outcome): Promise<boolean>;
  /** Started ones whose backup is to be stopped by now. */
  findToStop(now: Date, limit: number, signal: AbortSignal): Promise<Occurrence[]>;
  /** Their backup is over, or its cancel is recorded. */
  stopped(id: string): Promise<void>;
  /** A page, newest first, and how many there are in all (`@tidemark/mongo/pages`). @throws AppError as `Pages.read` */
  list(filter: OccurrenceFilter, page: PageWish, now: Date, signal: AbortSignal): Promise<Page<Occurrence>>;
  /** How many decided ones there are, by state and code. */
  countDecided(until: Date, signal: AbortSignal): Promise<OutcomeCount[]>;
  /** Decided in (after, until], oldest first. */
  findDecided(after: Date, until: Date, limit: number, signal: AbortSignal): Promise<Occurrence[]>;
  /** Forgets those that were decided before. */
  removeBefore(before: Date): Promise<number>;
}

export interface OutcomeCount {
  readonly state: OccurrenceState;
  readonly code: Occurrence['code'];
  readonly count: number;
}

const EPOCH = new Date(0);

export function createOccurrenceStore(db: Db): OccurrenceStore {
  const occurrences = db.collection<Occurrence>('occurrences');
  const pages = createPages(occurrences, { time: 'opensAt' });
  const update = async (filter: Filter<Occurrence>, fields: Partial<Occurrence>) =>
    orStoreError(async () => (await occurrences.updateOne(filter, { $set: fields })).matchedCount === 1);

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
    get: (_id, signal) => orStoreError(async () => (await occurrences.findOne({ _id }, { signal })) ?? undefined),
    findPending: (now, limit, signal) =>
      orStoreError(() =>
        occurrences
          .find({ state: 'Pending', nextTryAt: { $gt: EPOCH, $lte: now } }, { signal })
          .sort({ lastGoodAt: 1, startAt: 1 })
          .limit(limit)
          .toArray(),
      ),
    findSiblings: ({ clusterId, rule, startAt }, signal) =>
      orStoreError(async () => {
        const since = { $gt: new Date(startAt.getTime() - SIBLING_MS) };
        const found = await occurrences.find({ clusterId, opensAt: since, late: true }, { signal }).toArray();
        return found.filter((other) => other.rule !== rule);
      }),
    takeUp: ({ _id, nextTryAt: before }, nextTryAt) =>
      update({ _id, state: 'Pending', nextTryAt: before }, { nextTryAt }),
    async wait(_id, { code, reason }) {
      await update({ _id, state: 'Pending' }, { code, reason });
    },
    decide: (_id, outcome) => update({ _id, state: 'Pending' }, outcome),
    findToStop: (now, limit, signal) =>
      orStoreError(() =>
        occurrences
          .find({ stopAt: { $gt: EPOCH, $lte: now } }, { signal })
          .sort({ stopAt: 1 })
          .limit(limit)
          .toArray(),
      ),
    async stopped(_id) {
      await update({ _id }, { stopAt: null });
    },
    list: (filter, wish, now, signal) => orStoreError(() => pages.read(toSelection(filter), wish, now, signal)),
    countDecided: (until, signal) =>
      orStoreError(() =>
        occurrences
          .aggregate<OutcomeCount>(
            [
              { $match: { decidedAt: { $gt: EPOCH, $lte: until } } },
              { $group: { _id: { state: '$state', code: '$code' }, count: { $sum: 1 } } },
              { $project: { _id: 0, state: '$_id.state', code: '$_id.code', count: 1 } },
            ],
            { signal },
          )
          .toArray(),
      ),
    findDecided: (after, until, limit, signal) =>
      orStoreError(() =>
        occurrences
          .find({ decidedAt: { $gt: after, $lte: until } }, { signal })
          .sort({ decidedAt: 1 })
          .limit(limit)
          .toArray(),
      ),
    removeBefore: (before) =>
      orStoreError(
        async () => (await occurrences.deleteMany({ decidedAt: { $gt: EPOCH, $lte: before } })).deletedCount,
      ),
  };
}

/** No window is longer than a day and the hours of a change of clocks. */
const SIBLING_MS = 2 * 86_400_000;
