/**
 * The collections `fleet_strategies` and `cluster_labels`.
 *
 * Strategies for labels are changed by compare-and-set on their revision. `cluster_labels` is a copy of what the registry
 * says, told again and again: the last one told wins.
 */
import { createHash } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { inPieces } from '@tidemark/mongo/in-pieces';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, isTransient, orStoreError, toStoreError } from '@tidemark/mongo/mongo-error';
import type { Db } from 'mongodb';
import type { ClusterLabelsDocument, FleetStrategyDocument } from './fleet-strategy.ts';
import { pauseAfterConflict } from './strategy-store.ts';

/** A walk over all clusters goes bucket by bucket. */
export const BUCKETS = 64;

export const FLEET_INDEXES: readonly IndexSpec[] = [
  { collection: 'cluster_labels', keys: { pending: 1 } },
  { collection: 'cluster_labels', keys: { bucket: 1 } },
];

export interface FleetStore {
  get(name: string, signal: AbortSignal): Promise<FleetStrategyDocument | undefined>;
  /** All, by name, also those that are being deleted. */
  list(signal: AbortSignal): Promise<FleetStrategyDocument[]>;
  /** Changes one, or makes it; `change` may be called more than once and answers undefined for no change. */
  change(
    name: string,
    change: (before: FleetStrategyDocument | undefined) => FleetStrategyDocument | undefined,
    signal: AbortSignal,
  ): Promise<FleetStrategyDocument | undefined>;
  /** Notes that every cluster has this revision; false when there is a newer one. */
  markApplied(fleet: FleetStrategyDocument): Promise<boolean>;
  /** Notes that every cluster registered before this revision was saved has been told; nothing when there is a newer one. */
  markTold(name: string, revision: number): Promise<void>;
  /** Forgets one that is being deleted; false when it was saved again. */
  remove(fleet: FleetStrategyDocument): Promise<boolean>;
  clusters(ids: readonly string[], signal: AbortSignal): Promise<ClusterLabelsDocument[]>;
  /** The clusters of one of `BUCKETS`: all of them together are all clusters, each looked up by an equality. */
  clusterIdsIn(bucket: number, signal: AbortSignal): Promise<string[]>;
  /** Clusters whose rules are still to follow. */
  pendingClusters(limit: number, signal: AbortSignal): Promise<ClusterLabelsDocument[]>;
  putClusters(clusters: readonly ClusterLabelsDocument[]): Promise<void>;
  /** The rules of these clusters follow their labels now, unless they were told anew. */
  clearPending(clusters: readonly ClusterLabelsDocument[]): Promise<void>;
  removeCluster(id: string): Promise<void>;
}

/** Tokens are hexadecimal: the range is bounded on both sides, and does not touch those that are not pending. */
const PENDING = { $gte: '0', $lt: 'g' };
const MOST_CONFLICTS = 30;

export function createFleetStore(db: Db): FleetStore {
  const fleet = db.collection<FleetStrategyDocument>('fleet_strategies');
  const clusters = db.collection<ClusterLabelsDocument & { readonly bucket: number }>('cluster_labels');

  async function write(before: FleetStrategyDocument | undefined, after: FleetStrategyDocument): Promise<boolean> {
    try {
      if (!before) {
        await fleet.insertOne(after);
        return true;
      }
      const { _id, ...fields } = after;
      return (await fleet.updateOne({ _id, revision: before.revision }, { $set: fields })).matchedCount === 1;
    } catch (error) {
      if (isDuplicateKey(error) || isTransient(error)) return false;
      throw toStoreError(error);
    }
  }

  const get: FleetStore['get'] = (name, signal) =>
    orStoreError(async () => (await fleet.findOne({ _id: name }, { signal })) ?? undefined);

  return {
    get,
    list: (signal) => orStoreError(() => fleet.find({}, { signal }).sort({ _id: 1 }).toArray()),
    async change(name, change, signal) {
      let unanswered: FleetStrategyDocument | undefined;
      for (let tries = 1; tries <= MOST_CONFLICTS; tries += 1) {
        const before = await get(name, signal);
        // It was written, and only the answer was lost.
        if (unanswered && isSame(before, unanswered)) return before;
        const after = change(before);
        if (!after) return before;
        if (await write(before, after)) return after;
        unanswered = after;
        await pauseAfterConflict(tries, signal);
      }
      throw new AppError('conflict', `The strategy ${name} changes too often; try again.`);
    },
    markApplied: ({ _id, revision }) =>
      orStoreError(
        async () =>
          (await fleet.updateOne({ _id, revision }, { $set: { appliedRevision: revision } })).matchedCount === 1,
      ),
    async markTold(_id, revision) {
      await orStoreError(() => fleet.updateOne({ _id, revision }, { $set: { toldRevision: revision } }));
    },
    remove: ({ _id, revision }) =>
      orStoreError(async () => (await fleet.deleteOne({ _id, revision, deleting: true })).deletedCount === 1),
    clusters: (ids, signal) =>
      orStoreError(() => inPieces(ids, (some) => clusters.find({ _id: { $in: some } }, { signal }).toArray())),
    clusterIdsIn: (bucket, signal) =>
      orStoreError(async () => {
        const found = await clusters.find({ bucket }, { signal, projection: { _id: 1 } }).toArray();
        return found.map(({ _id }) => _id);
      }),
    pendingClusters: (limit, signal) =>
      orStoreError(() => clusters.find({ pending: PENDING }, { signal }).limit(limit).toArray()),
    async putClusters(documents) {
      await inPieces(documents, async (some) => {
        const writes = some.map(({ _id, ...fields }) => ({
          updateOne: { filter: { _id }, update: { $set: { ...fields, bucket: bucketOf(_id) } }, upsert: true },
        }));
        const put = () => clusters.bulkWrite(writes, { ordered: false });
        await orStoreError(async () => {
          // Two copies that insert the same cluster at once: the second then finds it.
          await put().catch((error: unknown) => (isDuplicateKey(error) ? put() : Promise.reject(error)));
        });
        return [];
      });
    },
    clearPending: (documents) =>
      orStoreError(async () => {
        const byToken = Map.groupBy(documents, ({ pending }) => pending);
        for (const [pending, group] of byToken)
          await inPieces(group, async (some) => {
            await clusters.updateMany({ _id: { $in: some.map(({ _id }) => _id) }, pending }, { $set: { pending: '' } });
            return [];
          });
      }),
    removeCluster: (id) => orStoreError(async () => void (await clusters.deleteOne({ _id: id }))),
  };
}

function isSame(one: FleetStrategyDocument | undefined, other: FleetStrategyDocument): boolean {
  return one?.revision === other.revision && one.savedIn === other.savedIn && one.deleting === other.deleting;
}

function bucketOf(clusterId: string): number {
  return createHash('sha256').update(clusterId).digest().readUInt32BE() % BUCKETS;
}
