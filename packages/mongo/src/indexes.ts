import type { CreateIndexesOptions, Db, IndexSpecification } from 'mongodb';
import { toStoreError } from './mongo-error.ts';

/** An index as data. Plain ones only: partial, sparse and TTL indexes are not in every compatible server. */
export interface IndexSpec {
  readonly collection: string;
  readonly keys: IndexSpecification;
  readonly unique?: true;
}

/** Creates what is missing; an index that is there already costs one round trip. */
export async function ensureIndexes(db: Db, specs: readonly IndexSpec[]): Promise<void> {
  for (const { collection, keys, unique } of specs) {
    const options: CreateIndexesOptions = unique ? { unique } : {};
    try {
      await db.collection(collection).createIndex(keys, options);
    } catch (error) {
      throw toStoreError(error);
    }
  }
}
