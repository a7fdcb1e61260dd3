import { AppError } from '@tidemark/errors/app-error';
import { pause } from '@tidemark/service-kit/backoff';
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
  /** Waits a moment until every index is there. @throws AppError `unavailable` where that takes longer */
  wait(signal: AbortSignal): Promise<void>;
}

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
const PATIENCE_MS = 2_000;

/**
 * Creates the indexes in the background, trying again while the database is away: a process starts without it, but is
 * not ready before the keys that exclude each other are guarded.
 */
export function startIndexing(db: Db, specs: readonly IndexSpec[], { log }: { readonly log: StoreLog }): Indexing {
  const stop = new AbortController();
  const there = Promise.withResolvers<void>();
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
        there.resolve();
      } catch (error) {
        log.warn({ error }, 'the indexes could not be created; trying again');
        await pause(pauseMs, stop.signal);
      }
    }
  };
  const working = work();
  const check = () => {
    if (!done) throw new AppError('unavailable', 'The indexes are still being created.', { retryAfterMs: 1_000 });
  };
  return {
    check,
    async wait(signal) {
      if (done) return;
      await Promise.race([there.promise, pause(PATIENCE_MS, signal)]);
      check();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await working;
    },
  };
}
