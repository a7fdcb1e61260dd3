/**
 * The collection `strategies`.
 *
 * Every change is read → change → compare-and-set by revision, and tried again when somebody else was quicker. The `_id`
 * is cluster and rule, so a strategy cannot be there twice (must-not A7).
 */
import { AppError } from '@tidemark/errors/app-error';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, isTransient, toStoreError } from '@tidemark/mongo/mongo-error';
import { backoffMs, sleep } from '@tidemark/service-kit/backoff';
import type { Db } from 'mongodb';
import { type StrategyDocument, strategyId } from './strategy.ts';

export const STRATEGY_INDEXES: readonly IndexSpec[] = [
  { collection: 'strategies', keys: { 'nextWindow.startAt': 1 } },
  { collection: 'strategies', keys: { clusterId: 1 } },
];

export interface StrategyStore {
  get(clusterId: string, rule: string, signal: AbortSignal): Promise<StrategyDocument | undefined>;
  /**
   * Changes a strategy, or makes it. `change` may be called more than once and answers undefined for no change.
   *
   * @returns the strategy as it is now, and whether this call changed it
   */
  change(
    clusterId: string,
    rule: string,
    change: (before: StrategyDocument | undefined) => StrategyDocument | undefined,
    signal: AbortSignal,
  ): Promise<{ strategy: StrategyDocument | undefined; changed: boolean }>;
  /** Removes one rule, or all of a cluster. */
  delete(clusterId: string, rule: string | undefined): Promise<void>;
  /** Those whose start has come, those due first leading. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<StrategyDocument[]>;
}

const EPOCH = new Date(0);
const CONFLICT_BACKOFF = { baseMs: 5, maxMs: 500 };
const MOST_CONFLICTS = 30;

export function createStrategyStore(db: Db): StrategyStore {
  const strategies = db.collection<StrategyDocument>('strategies');

  async function orStoreError<R>(run: () => Promise<R>): Promise<R> {
    try {
      return await run();
    } catch (error) {
      throw toStoreError(error);
    }
  }

  async function write(before: StrategyDocument | undefined, after: StrategyDocument): Promise<boolean> {
    try {
      if (!before) {
        await strategies.insertOne(after);
        return true;
      }
      const { _id, ...fields } = after;
      const { matchedCount } = await strategies.updateOne({ _id, revision: before.revision }, { $set: fields });
      return matchedCount === 1;
    } catch (error) {
      if (isDuplicateKey(error) || isTransient(error)) return false;
      throw toStoreError(error);
    }
  }

  const get: StrategyStore['get'] = (clusterId, rule, signal) =>
    orStoreError(async () => (await strategies.findOne({ _id: strategyId(clusterId, rule) }, { signal })) ?? undefined);

  return {
    get,
    async change(clusterId, rule, change, signal) {
      for (let tries = 1; tries <= MOST_CONFLICTS; tries += 1) {
        const before = await get(clusterId, rule, signal);
        const after = change(before);
        if (!after) return { strategy: before, changed: false };
        if (await write(before, after)) return { strategy: after, changed: true };
        await sleep(backoffMs(tries, CONFLICT_BACKOFF), signal).catch((error: unknown) => {
          throw toStoreError(error);
        });
      }
      throw new AppError('conflict', `The strategy of cluster ${clusterId} changes too often; try again.`);
    },
    delete: (clusterId, rule) =>
      orStoreError(async () => {
        await strategies.deleteMany(rule === undefined ? { clusterId } : { _id: strategyId(clusterId, rule) });
      }),
    findDue: (now, limit, signal) =>
      orStoreError(() =>
        strategies
          .find({ 'nextWindow.startAt': { $gt: EPOCH, $lte: now } }, { signal })
          .sort({ 'nextWindow.startAt': 1 })
          .limit(limit)
          .toArray(),
      ),
  };
}
