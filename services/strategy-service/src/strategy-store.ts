/**
 * The collection `strategies`.
 *
 * R1. Every change is read → change → compare-and-set by revision, removals too, and tried again when somebody else was
 *     quicker.
 * R2. The `_id` is cluster and rule, so a strategy cannot be there twice (must-not A7).
 */
import { AppError } from '@tidemark/errors/app-error';
import { inBatches } from '@tidemark/mongo/batches';
import { inPieces } from '@tidemark/mongo/in-pieces';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, isTransient, orStoreError, toStoreError } from '@tidemark/mongo/mongo-error';
import { beginningWith } from '@tidemark/mongo/text-range';
import { backoffMs, sleep } from '@tidemark/service-kit/backoff';
import type { Db, Filter } from 'mongodb';
import { DEFAULT_RULE, type StrategyDocument, strategyId, upgrade } from './strategy.ts';

export const STRATEGY_INDEXES: readonly IndexSpec[] = [
  { collection: 'strategies', keys: { 'nextWindow.startAt': 1 } },
  { collection: 'strategies', keys: { clusterId: 1 } },
  { collection: 'strategies', keys: { fleetStrategy: 1 } },
  { collection: 'strategies', keys: { fleetStrategy: 1, rule: 1 } },
  { collection: 'strategies', keys: { storageId: 1 } },
  { collection: 'strategies', keys: { updateTime: 1, _id: 1 } },
];

/** Which rules to list. */
export interface StrategyFilter {
  /** Any of these; none means all. */
  readonly clusterIds: readonly string[];
  readonly withRetention: boolean;
  /** The last `_id` of the page before; empty means the first page. */
  readonly after: string;
}

/** What a rule is called, and where it comes from. */
export type RuleName = Pick<StrategyDocument, 'clusterId' | 'rule' | 'fleetStrategy'>;

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
  /** One write by compare-and-set; false when somebody else was quicker, or when nobody knows. */
  write(before: StrategyDocument | undefined, after: StrategyDocument): Promise<boolean>;
  /** Removes one, unless it was changed meanwhile. */
  remove(before: StrategyDocument): Promise<boolean>;
  removeCluster(clusterId: string): Promise<void>;
  /** Removes the rules of a cluster that were made before it was registered. */
  removeOlder(clusterId: string, registeredAt: Date): Promise<void>;
  /** Every rule of these clusters. */
  ofClusters(clusterIds: readonly string[], signal: AbortSignal): Promise<StrategyDocument[]>;
  /** A page of rules by `_id`. */
  list(filter: StrategyFilter, limit: number, signal: AbortSignal): Promise<StrategyDocument[]>;
  /** Every rule, in no order: one walk over the collection, a few hundred at a time. */
  scan(signal: AbortSignal): AsyncIterable<StrategyDocument[]>;
  /**
   * Rules that were changed after an instant, in that order, and then by `_id`.
   *
   * @param afterId of those that were changed at that very instant, the ones behind this; undefined for none of them
   */
  changedSince(
    after: Date,
    afterId: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<StrategyDocument[]>;
  /** Clusters that have a rule from a strategy for labels: this one, or any. */
  clustersWithFleetRules(name: string | undefined, signal: AbortSignal): Promise<string[]>;
  /** Rules that clusters have of their own and that write to this storage. */
  ownRulesOfStorage(storageId: string, limit: number, signal: AbortSignal): Promise<StrategyDocument[]>;
  /** Rules that clusters have of their own, but for the default one, whose name begins so; of these clusters, or of all where none is named. */
  ownRulesNamed(
    text: string,
    clusterIds: readonly string[],
    limit: number,
    signal: AbortSignal,
  ): Promise<StrategyDocument[]>;
  /** Rules of these clusters that write to this storage, their own and those from strategies for labels. */
  rulesOfStorage(storageId: string, clusterIds: readonly string[], signal: AbortSignal): Promise<RuleName[]>;
  /** How many rules come from each strategy for labels. */
  countFleetRules(signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
  /** Those whose start has come, those due first leading. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<StrategyDocument[]>;
}

const EPOCH = new Date(0);
/** The first name that there can be, and what is above every name and `_id`: ranges are bounded on both sides. */
const FIRST = '-';
const ABOVE = '~';
/** The same for instants. */
const FAR = new Date('9999-01-01T00:00:00Z');
const SCANNED_AT_ONCE = 500;
/** By how much the clocks of two processes may differ. */
const SKEW_MS = 1_000;
const CONFLICT_BACKOFF = { baseMs: 5, maxMs: 500 };
const MOST_CONFLICTS = 30;

export function createStrategyStore(db: Db): StrategyStore {
  const strategies = db.collection<StrategyDocument>('strategies');

  /** Runs one write by compare-and-set. */
  async function attempt(run: () => Promise<boolean>): Promise<boolean> {
    try {
      return await run();
    } catch (error) {
      if (isDuplicateKey(error) || isTransient(error)) return false;
      throw toStoreError(error);
    }
  }

  const get: StrategyStore['get'] = (clusterId, rule, signal) =>
    orStoreError(async () => {
      const found = await strategies.findOne({ _id: strategyId(clusterId, rule) }, { signal });
      return found ? upgrade(found) : undefined;
    });
  const write: StrategyStore['write'] = (before, after) =>
    attempt(async () => {
      if (!before) {
        await strategies.insertOne(after);
        return true;
      }
      const { _id, ...fields } = after;
      return (await strategies.updateOne({ _id, revision: before.revision }, { $set: fields })).matchedCount === 1;
    });

  const rulesOf = (clusterIds: readonly string[], signal: AbortSignal, filter: Filter<StrategyDocument> = {}) =>
    inPieces(clusterIds, (some) => strategies.find({ ...filter, clusterId: { $in: some } }, { signal }).toArray());

  return {
    get,
    write,
    async change(clusterId, rule, change, signal) {
      for (let tries = 1; tries <= MOST_CONFLICTS; tries += 1) {
        const before = await get(clusterId, rule, signal);
        const after = change(before);
        if (!after) return { strategy: before, changed: false };
        if (await write(before, after)) return { strategy: after, changed: true };
        await pauseAfterConflict(tries, signal);
      }
      throw tooManyConflicts(clusterId);
    },
    remove: ({ _id, revision }) =>
      attempt(async () => (await strategies.deleteOne({ _id, revision })).deletedCount === 1),
    removeCluster: (clusterId) => orStoreError(async () => void (await strategies.deleteMany({ clusterId }))),
    removeOlder: (clusterId, registeredAt) =>
      orStoreError(async () => {
        const createTime = { $gt: EPOCH, $lt: new Date(+registeredAt - SKEW_MS) };
        await strategies.deleteMany({ clusterId, createTime });
      }),
    ofClusters: (clusterIds, signal) =>
      orStoreError(async () => {
        const [first = '', ...others] = clusterIds;
        const found =
          others.length === 0
            ? await strategies.find({ clusterId: first }, { signal }).toArray()
            : await rulesOf(clusterIds, signal);
        return found.map(upgrade);
      }),
    list: ({ clusterIds, withRetention, after }, limit, signal) =>
      orStoreError(async () => {
        const filter: Filter<StrategyDocument> = withRetention ? { retention: { $ne: null } } : {};
        if (clusterIds.length > 0) {
          // These few by their index, whatever a server would make of both conditions.
          const ofThem = await rulesOf(clusterIds, signal, filter);
          const byId = ofThem.filter(({ _id }) => _id > after).sort((one, other) => (one._id < other._id ? -1 : 1));
          return byId.slice(0, limit).map(upgrade);
        }
        const found = await strategies
          .find({ ...filter, _id: { $gt: after, $lt: ABOVE } }, { signal })
          .sort({ _id: 1 })
          .limit(limit)
          .toArray();
        return found.map(upgrade);
      }),
    async *scan(signal) {
      const all = strategies.find({}, { signal, batchSize: SCANNED_AT_ONCE });
      for await (const batch of inBatches(all, SCANNED_AT_ONCE)) yield batch.map(upgrade);
    },
    changedSince: (after, afterId, limit, signal) =>
      orStoreError(async () => {
        const twins =
          afterId === undefined
            ? []
            : await strategies
                .find({ updateTime: after, _id: { $gt: afterId, $lt: ABOVE } }, { signal })
                .sort({ _id: 1 })
                .limit(limit)
                .toArray();
        if (twins.length === limit) return twins.map(upgrade);
        const found = await strategies
          .find({ updateTime: { $gt: after, $lt: FAR } }, { signal })
          .sort({ updateTime: 1, _id: 1 })
          .limit(limit - twins.length)
          .toArray();
        return [...twins, ...found].map(upgrade);
      }),
    clustersWithFleetRules: (name, signal) =>
      orStoreError(async () => {
        const fleetStrategy = name ?? { $gte: FIRST, $lt: ABOVE };
        const found = await strategies.find({ fleetStrategy }, { signal, projection: { clusterId: 1 } }).toArray();
        return [...new Set(found.map(({ clusterId }) => clusterId))];
      }),
    ownRulesOfStorage: (storageId, limit, signal) =>
      orStoreError(() => strategies.find({ storageId, fleetStrategy: '' }, { signal }).limit(limit).toArray()),
    ownRulesNamed: (text, clusterIds, limit, signal) =>
      orStoreError(async () => {
        if (clusterIds.length > 0) {
          const ofThem = await rulesOf(clusterIds, signal);
          const own = ofThem.map(upgrade).filter(({ fleetStrategy }) => fleetStrategy === '');
          return own
            .filter(({ rule }) => typeof rule === 'string' && rule !== DEFAULT_RULE && rule.startsWith(text))
            .sort(byRule)
            .slice(0, limit);
        }
        // Every cluster may have the default one: the range leaves it out.
        const { $gte, $lt } = beginningWith(text);
        const around = [
          { $gte, $lt: DEFAULT_RULE },
          { $gt: DEFAULT_RULE, $lt },
        ].slice(text === DEFAULT_RULE ? 1 : 0);
        const ranges = DEFAULT_RULE.startsWith(text) ? around : [{ $gte, $lt }];
        const parts = ranges.map((range) =>
          strategies.find({ fleetStrategy: '', rule: range }, { signal }).sort({ rule: 1 }).limit(limit).toArray(),
        );
        return (await Promise.all(parts)).flat().slice(0, limit).map(upgrade);
      }),
    rulesOfStorage: (storageId, clusterIds, signal) =>
      orStoreError(async () => {
        const asked = new Set(clusterIds);
        const names = { clusterId: 1, rule: 1, fleetStrategy: 1 };
        // Those of the storage by their index, whatever a server would make of both conditions.
        const found = await strategies.find({ storageId }, { signal, projection: names }).toArray();
        const theirs = found.filter(({ clusterId }) => asked.has(clusterId));
        return theirs.sort((one, other) => (one._id < other._id ? -1 : 1));
      }),
    countFleetRules: (signal) =>
      orStoreError(async () => {
        const groups = await strategies
          .aggregate<{ _id: string; count: number }>(
            [
              { $match: { fleetStrategy: { $gte: FIRST, $lt: ABOVE } } },
              { $group: { _id: '$fleetStrategy', count: { $sum: 1 } } },
            ],
            { signal },
          )
          .toArray();
        return new Map(groups.map(({ _id, count }) => [_id, count]));
      }),
    findDue: (now, limit, signal) =>
      orStoreError(async () => {
        const found = await strategies
          .find({ 'nextWindow.startAt': { $gt: EPOCH, $lte: now } }, { signal })
          .sort({ 'nextWindow.startAt': 1 })
          .limit(limit)
          .toArray();
        return found.map(upgrade);
      }),
  };
}

const byRule = (one: StrategyDocument, other: StrategyDocument): number =>
  one.rule === other.rule ? 0 : one.rule < other.rule ? -1 : 1;

/** Lets the others go first, longer each time. @throws AppError `unavailable` when the request ends meanwhile */
export async function pauseAfterConflict(tries: number, signal: AbortSignal): Promise<void> {
  await sleep(backoffMs(tries, CONFLICT_BACKOFF), signal).catch((error: unknown) => {
    throw toStoreError(error);
  });
}

export function tooManyConflicts(clusterId: string): AppError {
  return new AppError('conflict', `The strategy of cluster ${clusterId} changes too often; try again.`);
}
