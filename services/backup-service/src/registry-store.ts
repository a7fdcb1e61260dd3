import { orStoreError } from '@tidemark/mongo/mongo-error';
import type { Db } from 'mongodb';
import type { StorageLocation, Target } from './backup.ts';

/** A registered cluster, as it is stored. */
export interface ClusterDocument {
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
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** A registered storage, as it is stored. */
export interface StorageDocument extends StorageLocation {
  readonly _id: string;
  readonly root: string;
  readonly maxConcurrent: number;
  readonly createTime: Date;
  readonly updateTime: Date;
}

type Registered = ClusterDocument | StorageDocument;
type Fields<T> = Omit<T, '_id' | 'createTime' | 'updateTime'>;

/** One kind of registered thing; every method throws `unavailable` when the database does. */
export interface Registry<T extends Registered> {
  get(id: string, signal: AbortSignal): Promise<T | undefined>;
  /** All, or those of `ids`, by id. */
  list(ids: readonly string[], signal: AbortSignal): Promise<T[]>;
  put(id: string, fields: Fields<T>, now: Date): Promise<void>;
  delete(id: string): Promise<boolean>;
}

export interface RegistryStore {
  readonly clusters: Registry<ClusterDocument> & {
    /** Whether a cluster still names the storage. */
    anyWithStorage(storageId: string, signal: AbortSignal): Promise<boolean>;
  };
  readonly storages: Registry<StorageDocument>;
}

const MOST_LISTED = 10_000;

/** The registry over a database. */
export function createRegistryStore(db: Db): RegistryStore {
  const clusters = db.collection<ClusterDocument>('clusters');
  return {
    clusters: {
      ...createRegistry<ClusterDocument>(db, 'clusters'),
      anyWithStorage: (storageId, signal) =>
        orStoreError(async () => (await clusters.findOne({ storageId }, { signal })) !== null),
    },
    storages: createRegistry<StorageDocument>(db, 'storages'),
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
        const filter = ids.length > 0 ? { _id: { $in: [...ids] } } : {};
        const found = await collection.find(filter, { signal }).sort({ _id: 1 }).limit(MOST_LISTED).toArray();
        return found.map(read);
      }),
    put: (id, fields, now) =>
      orStoreError(async () => {
        const absent = Object.fromEntries(
          Object.entries(fields).flatMap(([field, value]) => (value === undefined ? [[field, '' as const]] : [])),
        );
        await collection.updateOne(
          { _id: id },
          {
            $set: { ...fields, updateTime: now },
            $setOnInsert: { createTime: now },
            ...(Object.keys(absent).length > 0 && { $unset: absent }),
          },
          { upsert: true },
        );
      }),
    delete: (id) => orStoreError(async () => (await collection.deleteOne({ _id: id })).deletedCount > 0),
  };
}
