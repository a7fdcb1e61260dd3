/**
 * The collection `audit_entries`: one document for each call that asked for a change.
 *
 * AS1. An entry is written once and never changed: one that comes again, after an answer that was lost or from a gateway that sends a batch
 *      anew, is found by its id.
 * AS2. Entries come late where backup-service or the database was away. A page token names a time and an id, so whoever goes on
 *      behind one misses none that was there before, at any copy.
 * AS3. They are forgotten by age, and above a number the oldest, those of refused calls first: nobody pushes out what was done by asking for what is
 *      refused. Two copies that look at once may forget that many twice.
 */
import { MAX_AUDIT_ENTRIES } from '@tidemark/limits/limits';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import type { TokenScope } from '@tidemark/mongo/page-token';
import { createPages, type Page, type PageWish } from '@tidemark/mongo/pages';
import { persist } from '@tidemark/mongo/persist';
import { FIRST_INSTANT, LAST_INSTANT, type Selection, toParts } from '@tidemark/mongo/selection';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Db } from 'mongodb';
import type { Outcome, StoredEntry } from './audit-entry.ts';

export const AUDIT_INDEXES: readonly IndexSpec[] = [
  { collection: 'audit_entries', keys: { at: -1, _id: -1 } },
  { collection: 'audit_entries', keys: { clusterId: 1, at: -1, _id: -1 } },
  { collection: 'audit_entries', keys: { outcome: 1, at: -1, _id: -1 } },
];

/** Which entries to list; what is absent does not narrow. */
export interface AuditFilter {
  readonly clusterIds: readonly string[];
  /** The clusters are what the caller sees, and were not asked for. */
  readonly withinSight: boolean;
  readonly caller?: string;
  readonly what?: string;
  readonly outcome?: Outcome;
  /** From when on, and before when. */
  readonly from?: Date;
  readonly to?: Date;
}

/** Every method throws `unavailable` when the database does. */
export interface AuditStore {
  add(entries: readonly StoredEntry[], signal: AbortSignal): Promise<void>;
  /** A page of entries, newest first. @throws AppError as `Pages.read` */
  list(filter: AuditFilter, page: PageWish, signal: AbortSignal): Promise<Page<StoredEntry>>;
  /** Forgets those of before. */
  removeBefore(before: Date, signal: AbortSignal): Promise<void>;
  /** Forgets the oldest above the number that is kept. */
  removeExcess(signal: AbortSignal): Promise<void>;
}

/** What most calls are. */
const USUAL: Outcome = 'ok';
const REMOVED_AT_ONCE = 1_000;

/** @param now database time */
export function createAuditStore(db: Db, now: () => Date, mostEntries = MAX_AUDIT_ENTRIES): AuditStore {
  const collection = db.collection<StoredEntry>('audit_entries');
  const pages = createPages(collection, { time: 'at' });

  /** Forgets at most so many of the oldest, of those that had this outcome. @returns how many */
  async function removeOldest(
    most: number,
    which: { readonly outcome?: Outcome },
    signal: AbortSignal,
  ): Promise<number> {
    const oldest = await collection
      .find({ ...which, at: { $gt: EPOCH, $lt: FAR } }, { signal, projection: { at: 1 } })
      .sort({ at: 1 })
      .limit(most)
      .toArray();
    const last = oldest.at(-1);
    if (!last) return 0;
    return (await collection.deleteMany({ ...which, at: { $gt: EPOCH, $lte: last.at } })).deletedCount;
  }

  return {
    add: (entries, signal) =>
      persist(signal, async () => {
        const writes = entries.map(({ _id, ...fields }) => ({
          updateOne: { filter: { _id }, update: { $setOnInsert: fields }, upsert: true },
        }));
        if (writes.length === 0) return;
        const put = () => collection.bulkWrite(writes, { ordered: false });
        // Two that write one entry at once: the second then finds it.
        await put().catch((error: unknown) => (isDuplicateKey(error) ? put() : Promise.reject(error)));
      }),
    list: (filter, wish, signal) => persist(signal, () => pages.read(toSelection(filter), wish, now(), signal)),
    removeBefore: (before, signal) =>
      persist(signal, async () => {
        await collection.deleteMany({ at: { $gt: EPOCH, $lt: before } });
      }),
    removeExcess: (signal) =>
      persist(signal, async () => {
        let excess = (await collection.estimatedDocumentCount()) - mostEntries;
        while (excess > 0) {
          const most = Math.min(excess, REMOVED_AT_ONCE);
          const refused = await removeOldest(most, { outcome: 'refused' }, signal);
          const removed = refused || (await removeOldest(most, {}, signal));
          if (removed === 0) return;
          excess -= removed;
        }
      }),
  };
}

function toSelection({ clusterIds, caller, what, outcome, from, to }: AuditFilter): Selection {
  const inReach = (time: number) => Math.min(Math.max(time, FIRST_INSTANT), LAST_INSTANT);
  const isByOutcome = clusterIds.length === 0 && outcome !== undefined && outcome !== USUAL;
  const { rest, ...parts } = isByOutcome ? toParts('outcome', [outcome]) : toParts('clusterId', clusterIds);
  return {
    from: inReach(from ? +from : FIRST_INSTANT),
    until: inReach(to ? +to : LAST_INSTANT),
    ...parts,
    rest: {
      ...rest,
      ...(caller !== undefined && { callerNames: caller }),
      ...(what !== undefined && { what }),
      ...(outcome !== undefined && !isByOutcome && { outcome }),
    },
    isCountedWhole: false,
  };
}

/** For what a page token is: for the clusters that were asked for, and whatever the caller sees otherwise. */
export function toTokenScope({ clusterIds, withinSight, caller, what, outcome, from, to }: AuditFilter): TokenScope {
  const clusters = withinSight ? [] : [...new Set(clusterIds)].sort();
  return {
    list: 'a1',
    filters: [clusters, caller ?? null, what ?? null, outcome ?? null, from ?? null, to ?? null],
  };
}
