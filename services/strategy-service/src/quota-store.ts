/**
 * The collection `quotas`: names that are reserved where only so many may be, such as the rules of a cluster.
 *
 * M1. A name is reserved by compare-and-set before what it names is stored, and never as one too many. So the bound holds
 *     however many saves come at once.
 * M2. What is stored counts with or without a reservation: rules of older versions have none.
 * M3. A reservation of which nothing is stored belongs to a save under way, or to one that died, or to what was deleted. It
 *     lapses after a minute, which is longer than any call may take.
 */
import { AppError } from '@tidemark/errors/app-error';
import { isDuplicateKey, isTransient, orStoreError, toStoreError } from '@tidemark/mongo/mongo-error';
import type { Db } from 'mongodb';
import { pauseAfterConflict } from './strategy-store.ts';

interface Reservation {
  readonly name: string;
  readonly at: Date;
}

interface QuotaDocument {
  readonly _id: string;
  readonly reservations: readonly Reservation[];
  readonly revision: number;
}

export interface QuotaStore {
  /**
   * Reserves a name, unless it would be one too many.
   *
   * @param stored what is there now, read anew at each try
   * @returns whether it is reserved
   * @throws AppError `conflict` when too many come at once
   */
  reserve(
    quota: string,
    name: string,
    most: number,
    stored: () => Promise<readonly string[]>,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Gives up the reservation of a name that was deleted, unless it was made after `before`. */
  release(quota: string, name: string, before: Date): Promise<void>;
  /** Forgets a quota with all its reservations. */
  drop(quota: string): Promise<void>;
}

const LAPSED_MS = 60_000;
const MOST_CONFLICTS = 30;

/** @param now database time */
export function createQuotaStore(db: Db, now: () => Date): QuotaStore {
  const quotas = db.collection<QuotaDocument>('quotas');

  const get = (_id: string, signal?: AbortSignal) =>
    orStoreError(async () => (await quotas.findOne({ _id }, { ...(signal && { signal }) })) ?? undefined);

  async function write(before: QuotaDocument | undefined, after: QuotaDocument): Promise<boolean> {
    try {
      if (!before) {
        await quotas.insertOne(after);
        return true;
      }
      const { _id, reservations, revision } = after;
      const done = await quotas.updateOne({ _id, revision: before.revision }, { $set: { reservations, revision } });
      return done.matchedCount === 1;
    } catch (error) {
      if (isDuplicateKey(error) || isTransient(error)) return false;
      throw toStoreError(error);
    }
  }

  return {
    async reserve(quota, name, most, stored, signal) {
      for (let tries = 1; tries <= MOST_CONFLICTS; tries += 1) {
        // In this order: what comes in between is stored by then, or makes the write miss (M1).
        const before = await get(quota, signal);
        const names = new Set(await stored());
        const at = now();
        const others = (before?.reservations ?? []).filter(
          (one) => one.name !== name && (names.has(one.name) || +at - +one.at < LAPSED_MS),
        );
        for (const one of others) names.add(one.name);
        names.delete(name);
        if (names.size >= most) return false;
        const reservations = [...others, { name, at }];
        if (await write(before, { _id: quota, reservations, revision: (before?.revision ?? 0) + 1 })) return true;
        await pauseAfterConflict(tries, signal);
      }
      throw new AppError('conflict', 'Too much is saved at once; try again.');
    },
    async release(quota, name, before) {
      const known = await get(quota);
      const reservations = known?.reservations.filter((one) => one.name !== name || one.at > before);
      // Where somebody else was quicker it lapses by itself (M3).
      if (known && reservations) await write(known, { _id: quota, reservations, revision: known.revision + 1 });
    },
    drop: (quota) => orStoreError(async () => void (await quotas.deleteOne({ _id: quota }))),
  };
}
