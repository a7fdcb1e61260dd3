import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@tidemark/errors/app-error';
import type { CreateIndexesOptions, Db, IndexSpecification } from 'mongodb';
import type { StoreLog } from './connection.ts';
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

export interface Indexing extends AsyncDisposable {
  /** @throws AppError `unavailable` until every index is there */
  check(): void;
}

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;

/**
 * Creates the indexes in the background, trying again while the database is away: a process starts without it, but is
 * not ready before the keys that exclude each other are guarded.
 */
export function startIndexing(db: Db, specs: readonly IndexSpec[], { log }: { readonly log: StoreLog }): Indexing {
  const stop = new AbortController();
  let done = false;
  const work = async (): Promise<void> => {
    for (
      let pauseMs = FIRST_RETRY_MS;
      !done && !stop.signal.aborted;
      pauseMs = Math.min(2 * pauseMs, LONGEST_RETRY_MS)
    ) {
      try {
        await ensureIndexes(db, specs);
        done = true;
      } catch (error) {
        log.warn({ error }, 'the indexes could not be created; trying again');
        await sleep(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    }
  };
  const working = work();
  return {
    check() {
      if (!done) throw new AppError('unavailable', 'The indexes are still being created.', { retryAfterMs: 1_000 });
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await working;
    },
  };
}
