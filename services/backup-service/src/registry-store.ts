import { MAX_LISTED } from '@tidemark/limits/limits';
import { inBatches } from '@tidemark/mongo/batches';
import { inPieces } from '@tidemark/mongo/in-pieces';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, isTransient, orStoreError, toStoreError } from '@tidemark/mongo/mongo-error';
import { FAR } from '@tidemark/mongo/time-range';
import { earlier } from '@tidemark/task/time';
import type { Db, Filter } from 'mongodb';
import type { StorageLocation, Target } from './backup.ts';
import type { ClusterPurpose } from './cluster-purpose.ts';
import { type SearchKeys, searchKeysOf } from './search-keys.ts';
import {
  type AccessedStorage,
  goesByLabels,
  mayUse,
  mayUseStorage,
  sendsCredentials,
  type UsableBy,
} from './storage-access.ts';

/** What shows by whom a record was saved last. */
interface Saved {
  /** Absent in records of earlier versions, which are at 1. */
  readonly revision?: number;
  /** The call that saved it, by which its repeat is known. */
  readonly savedIn?: string;
}

/** A registered cluster, as it is stored. */
export interface ClusterDocument extends Saved {
  readonly _id: string;
  readonly name: string;
  readonly pd: readonly string[];
  readonly version: string;
  readonly pool: string;
  readonly storageId: string;
  readonly timeZone: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tls?: Target['tls'];
  readonly brOptions?: Target['brOptions'];
  /** Absent: production, as every cluster of earlier versions. */
  readonly purpose?: ClusterPurpose;
  readonly restore?: { readonly strictLoss: boolean };
  /** Its PD or TLS was set by an admin of some clusters, and no admin of all has saved it since. */
  readonly placedByLimited?: boolean;
  /** Absent in records of earlier versions, until they are added. */
  readonly searchKeys?: SearchKeys;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** A registered storage, as it is stored. */
export interface StorageDocument extends StorageLocation, Saved {
  readonly _id: string;
  readonly root: string;
  readonly maxConcurrent: number;
  /** For how many days it keeps deleted backups; 0 when absent. */
  readonly trashDays?: number;
  /** Public keys in PEM form by which manifests may be signed; none when absent. */
  readonly manifestKeys?: readonly string[];
  /** An admin declared it gone for good. */
  readonly gone?: boolean;
  /** Absent: every cluster may use it. */
  readonly usableBy?: UsableBy;
  readonly createTime: Date;
  readonly updateTime: Date;
}

export const REGISTRY_INDEXES: readonly IndexSpec[] = [
  { collection: 'clusters', keys: { updateTime: 1 } },
  { collection: 'clusters', keys: { storageId: 1 } },
];

/** Which clusters to list; what is absent does not narrow. */
export interface ClusterPage {
  readonly ids: readonly string[];
  /** Only those that come after this one, by id. */
  readonly afterId?: string;
  readonly updatedAfter?: Date;
  /** Left out, all do. */
  readonly matches?: (cluster: ClusterDocument) => boolean;
  readonly limit: number;
}

type Labelled = Pick<ClusterDocument, '_id' | 'labels' | 'storageId' | 'placedByLimited'>;
type Registered = ClusterDocument | StorageDocument;

/** One kind of registered thing; every method throws `unavailable` when the database does. */
export interface Registry<T extends Registered> {
  get(id: string, signal: AbortSignal): Promise<T | undefined>;
  /** All, or those of `ids`, by id. */
  list(ids: readonly string[], signal: AbortSignal): Promise<T[]>;
  /** One write by compare-and-set on the revision; false when somebody else was quicker, or when nobody knows. */
  write(before: T | undefined, after: T): Promise<boolean>;
  delete(id: string): Promise<boolean>;
}

export interface RegistryStore {
  readonly clusters: Registry<ClusterDocument> & {
    /** Whether a cluster still names the storage. */
    anyWithStorage(storageId: string, signal: AbortSignal): Promise<boolean>;
    /** What the clusters that name the storage are called, and their labels, by id. */
    withStorage(storageId: string, signal: AbortSignal): Promise<Labelled[]>;
    /** Clusters by id, as many as the limit. */
    page(page: ClusterPage, signal: AbortSignal): Promise<ClusterDocument[]>;
    /** Every cluster, in no order: one walk over the collection, a few hundred at a time. */
    scan(signal: AbortSignal): AsyncIterable<ClusterDocument[]>;
    /** The same, and of each only what it is called, its labels and its storage. */
    scanLabels(signal: AbortSignal): AsyncIterable<Labelled[]>;
  };
  readonly storages: Registry<StorageDocument>;
  /** Whether a cluster may use a storage, as it is registered now: one that is not has no labels. */
  mayUse(clusterId: string, storage: AccessedStorage, signal: AbortSignal): Promise<boolean>;
}

/** Ranges are bounded on both sides, so that every server takes the index; ids are letters, digits, `_` and `-`. */
const LAST_ID = '~';
const SCANNED_AT_ONCE = 500;

/** The registry over a database. */
export function createRegistryStore(db: Db): RegistryStore {
  const clusters = db.collection<ClusterDocument>('clusters');
  const labelled = { labels: 1, storageId: 1, placedByLimited: 1 };
  const registered = createRegistry<ClusterDocument>(db, 'clusters');
  return {
    clusters: {
      ...registered,
      write: (before, after) => registered.write(before, { ...after, searchKeys: searchKeysOf(after) }),
      anyWithStorage: (storageId, signal) =>
        orStoreError(async () => (await clusters.findOne({ storageId }, { signal })) !== null),
      withStorage: (storageId, signal) =>
        orStoreError(() =>
          clusters.find<Labelled>({ storageId }, { projection: labelled, signal }).sort({ _id: 1 }).toArray(),
        ),
      page: ({ ids, afterId = '', updatedAfter, matches, limit }, signal) =>
        orStoreError(async () => {
          // Some servers refuse a range that ends before it begins.
          const changed = updatedAfter && { updateTime: { $gte: earlier(updatedAfter, FAR), $lte: FAR } };
          const inOrder = (filter: Filter<ClusterDocument>) =>
            clusters.find({ ...filter, ...changed }, { signal }).sort({ _id: 1 });
          if (ids.length > 0) {
            const behind = ids.filter((id) => id > afterId).sort();
            const read = async (some: string[]) => {
              const found = await inOrder({ _id: { $in: some } }).toArray();
              return matches ? found.filter(matches) : found;
            };
            return (await inPieces(behind, read, limit)).slice(0, limit);
          }
          const byId = inOrder(afterId === '' ? {} : { _id: { $gt: afterId, $lt: LAST_ID } });
          if (!matches) return byId.limit(limit).toArray();
          const found: ClusterDocument[] = [];
          for await (const cluster of byId.batchSize(SCANNED_AT_ONCE)) {
            if (matches(cluster)) found.push(cluster);
            if (found.length === limit) break;
          }
          return found;
        }),
      scan: (signal) => inBatches(clusters.find({}, { signal, batchSize: SCANNED_AT_ONCE }), SCANNED_AT_ONCE),
      scanLabels: (signal) => {
        const all = clusters.find<Labelled>({}, { projection: labelled, signal, batchSize: SCANNED_AT_ONCE });
        return inBatches(all, SCANNED_AT_ONCE);
      },
    },
    storages: createRegistry<StorageDocument>(db, 'storages'),
    async mayUse(clusterId, storage, signal) {
      // It is looked up only where its labels or its PD decide.
      const byId = mayUse(storage.usableBy, { _id: clusterId, labels: {} });
      if (byId ? !sendsCredentials(storage) : !goesByLabels(storage.usableBy)) return byId;
      const cluster = await registered.get(clusterId, signal);
      return cluster ? mayUseStorage(storage, cluster) : byId;
    },
  };
}

/** At which revision a record is. */
export function revisionOf({ revision }: Pick<Registered, 'revision'>): number {
  // A damaged one counts as never counted.
  return Number.isSafeInteger(revision) ? Number(revision) : 1;
}

/** What a save leaves of itself on a record. @param callId by which its repeat is known */
export function stampOf(before: Registered | undefined, callId: string, at: Date) {
  return {
    revision: before ? revisionOf(before) + 1 : 1,
    savedIn: callId,
    createTime: before?.createTime ?? at,
    updateTime: at,
  };
}

function createRegistry<T extends Registered>(db: Db, name: string): Registry<T> {
  // The driver's types cannot follow a generic document through its filters.
  const collection = db.collection<{ _id: string }>(name);
  const read = (document: unknown) => document as T;
  return {
    get: (id, signal) =>
      orStoreError(async () => read((await collection.findOne({ _id: id }, { signal })) ?? undefined)),
    list: (ids, signal) =>
      orStoreError(async () => {
        const listed = (filter: Filter<{ _id: string }>) =>
          collection.find(filter, { signal }).sort({ _id: 1 }).limit(MAX_LISTED).toArray();
        if (ids.length === 0) return (await listed({})).map(read);
        const found = await inPieces([...ids].sort(), (some) => listed({ _id: { $in: some } }), MAX_LISTED);
        return found.slice(0, MAX_LISTED).map(read);
      }),
    async write(before, after) {
      const { _id, ...fields } = after;
      const isAbsent = ([, value]: readonly [string, unknown]) => value === undefined;
      const set = Object.fromEntries(Object.entries(fields).filter((one) => !isAbsent(one)));
      const unset = Object.fromEntries(
        Object.entries(fields)
          .filter(isAbsent)
          .map(([field]) => [field, '' as const]),
      );
      try {
        if (!before) {
          await collection.insertOne({ _id, ...set });
          return true;
        }
        const { matchedCount } = await collection.updateOne(
          { _id, revision: before.revision ?? { $exists: false } } as Filter<{ _id: string }>,
          { $set: set, ...(Object.keys(unset).length > 0 && { $unset: unset }) },
        );
        return matchedCount === 1;
      } catch (error) {
        if (isDuplicateKey(error) || isTransient(error)) return false;
        throw toStoreError(error);
      }
    },
    delete: (id) => orStoreError(async () => (await collection.deleteOne({ _id: id })).deletedCount > 0),
  };
}
