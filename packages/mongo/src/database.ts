import type { Db } from 'mongodb';
import { startDatabaseClock } from './clock.ts';
import { connectMongo, type MongoOptions } from './connection.ts';
import { type IndexSpec, startIndexing } from './indexes.ts';

/** What a service has of its database: the collections, the time, and whether all of it can be used. */
export interface Database extends AsyncDisposable {
  readonly db: Db;
  /** Database time. @throws AppError `unavailable` before the server was first reached */
  now(): Date;
  /**
   * For whoever writes what unique keys must guard: waits a moment until they do.
   *
   * @throws AppError `unavailable` where that takes longer
   */
  guarded(signal: AbortSignal): Promise<void>;
  /** Each throws, and says why, while its part cannot be used. */
  readonly checks: Readonly<Record<'mongodb' | 'indexes' | 'clock', (signal: AbortSignal) => void | Promise<void>>>;
}

/** Spares a start beside a server that is up the warning that it was not reached yet. */
const SETTLE_MS = 1_500;

/** Opens a service's database, whether or not its server is up: what is missing comes by itself later. */
export async function openDatabase(options: MongoOptions, indexes: readonly IndexSpec[]): Promise<Database> {
  await using stack = new AsyncDisposableStack();
  const mongo = stack.use(connectMongo(options));
  const indexing = stack.use(startIndexing(mongo.db, indexes, options));
  const clock = stack.use(startDatabaseClock(mongo, options));
  await clock.settle(SETTLE_MS);
  const owned = stack.move();
  return {
    db: mongo.db,
    now: () => clock.now(),
    guarded: indexing.wait,
    checks: {
      mongodb: (signal) => mongo.ping(signal),
      indexes: () => indexing.check(),
      clock: () => void clock.now(),
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
