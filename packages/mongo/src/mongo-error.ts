import { AppError, causes } from '@tidemark/errors/app-error';
import { MongoError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';

const DUPLICATE_KEY = 11000;
/** FerretDB's number for a deadlock that the next try does not meet (stack-findings 11.3). */
const DEADLOCK = 16_908_292;
const WRITE_CONFLICT = 112;
const MAX_TIME_EXPIRED = 50;
const DUPLICATE_TEXT = /duplicate key|E11000|exclusion constraint/i;
/** How the driver says that it is between two connections. */
const BETWEEN_CONNECTIONS = ['MongoTopologyClosedError', 'MongoNotConnectedError', 'MongoWaitQueueTimeoutError'];
const TRANSIENT_TEXT = /deadlock detected|write ?conflict|SQLITE_BUSY/i;

/** Drivers and compatible servers name the violated index in the message or the key pattern. */
export function isDuplicateKey(thrown: unknown, field?: string): boolean {
  for (const error of causes(thrown)) {
    if (!(error instanceof Error)) continue;
    const { code, keyPattern } = error as Partial<MongoServerError>;
    if (code !== DUPLICATE_KEY && !(error instanceof MongoError && DUPLICATE_TEXT.test(error.message))) continue;
    if (field === undefined) return true;
    return keyPattern ? Object.hasOwn(keyPattern, field) : new RegExp(`\\b${field}(_|\\b)`).test(error.message);
  }
  return false;
}

/** Whether the same operation may succeed when it is simply repeated: conflicts, deadlocks, lost connections. */
export function isTransient(thrown: unknown): boolean {
  for (const error of causes(thrown)) {
    if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
    if (!(error instanceof MongoError)) continue;
    if (BETWEEN_CONNECTIONS.includes(error.name)) return true;
    if (error.code === DEADLOCK || error.code === WRITE_CONFLICT || TRANSIENT_TEXT.test(error.message)) return true;
    if (error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('TransientTransactionError')) return true;
  }
  return false;
}

/** Whether the server gave up because the time that it was given (`maxTimeMS`) was over. */
export function isOutOfTime(thrown: unknown): boolean {
  return [...causes(thrown)].some((error) => error instanceof MongoServerError && error.code === MAX_TIME_EXPIRED);
}

/** The error that callers are told when the database failed: `unavailable`, with the driver's own words in the log. */
export function toStoreError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (!(thrown instanceof MongoError))
    return new AppError('unavailable', 'The request ended before the database answered; try again shortly.', {
      cause: thrown,
      retryAfterMs: 1_000,
    });
  const rejected = thrown instanceof MongoServerError && !isTransient(thrown);
  return rejected
    ? new AppError('internal', 'The database refused an operation of Tidemark.', { cause: thrown })
    : new AppError('unavailable', 'The database cannot be reached right now; try again shortly.', {
        cause: thrown,
        retryAfterMs: 1_000,
      });
}

/** Runs a read or a write; whatever the driver throws becomes an error of the table. @throws AppError */
export async function orStoreError<R>(run: () => Promise<R>): Promise<R> {
  try {
    return await run();
  } catch (error) {
    throw toStoreError(error);
  }
}
