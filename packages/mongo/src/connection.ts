import { pause } from '@tidemark/service-kit/backoff';
import { type Db, MongoClient } from 'mongodb';
import { toStoreError } from './mongo-error.ts';

/** What this package logs to; service-kit's `Logger` is one. */
export interface StoreLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface MongoConnection extends AsyncDisposable {
  readonly client: MongoClient;
  readonly db: Db;
  /** Reads something. @throws AppError `unavailable` when the server cannot before the signal aborts */
  ping(signal: AbortSignal): Promise<void>;
}

export interface MongoOptions {
  /** May carry a password; never logged. */
  readonly url: string;
  readonly database: string;
  /** How this process is named on the server. */
  readonly appName: string;
  readonly log: StoreLog;
}

const RETRY_MS = 1_000;

/**
 * A connection that opens and reconnects by itself: a process starts whether or not the server is up.
 * Every write waits for the majority and the journal. The time-outs are those that keep a dead server from hanging a
 * call for more than some seconds (stack-findings 5.1: `timeoutMS` has no effect, so each stage has its own).
 */
export function connectMongo({ url, database, appName, log }: MongoOptions): MongoConnection {
  const client = new MongoClient(url, {
    appName,
    maxPoolSize: 50,
    maxIdleTimeMS: 60_000,
    waitQueueTimeoutMS: 2_000,
    connectTimeoutMS: 3_000,
    serverSelectionTimeoutMS: 3_000,
    socketTimeoutMS: 15_000,
    heartbeatFrequencyMS: 2_000,
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: 5_000 },
    ignoreUndefined: true,
  });
  client.on('serverHeartbeatFailed', ({ failure }) =>
    log.warn({ error: toStoreError(failure) }, 'the database does not answer'),
  );
  const db = client.db(database);
  const stop = new AbortController();
  const opened = open(client, log, stop.signal);
  return {
    client,
    db,
    async ping(signal) {
      try {
        // A server that met a full disk goes on answering `ping`.
        await db.collection('alive').findOne({}, { signal });
      } catch (error) {
        throw toStoreError(error);
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await client.close();
      await opened;
    },
  };
}

/**
 * Until the server was reached for the first time: from then on the driver reconnects by itself, but when its first try
 * fails, whatever is asked of it later finds "Topology is closed", for good.
 */
async function open(client: MongoClient, log: StoreLog, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      await client.connect();
      return;
    } catch (error) {
      if (!stop.aborted) log.warn({ error: toStoreError(error) }, 'the database was not reached yet; trying again');
      await pause(RETRY_MS, stop);
    }
  }
}
