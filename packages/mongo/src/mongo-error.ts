import { AppError, causes, toAppError } from '@tidemark/errors/app-error';
import { MongoError, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb';

const DUPLICATE_KEY = 11000;
/** FerretDB's number for a deadlock that the next try does not meet (stack-findings 11.3). */
const DEADLOCK = 16_908_292;
const WRITE_CONFLICT = 112;
const MAX_TIME_EXPIRED = 50;
/**
 * What a server says of itself and not of the operation: an error inside (1, also of a SecantusDB that met a full disk),
 * out of disk space, shutting down, not the primary.
 */
const SERVER_TROUBLE = new Set<unknown>([1, 14_031, 91, 11_600, 11_602, 10_107, 13_435, 13_436, 189]);
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

/** What the driver throws of a request that no server could ever take: ours to mend. */
const MISUSE = ['MongoInvalidArgumentError', 'MongoMissingDependencyError', 'MongoMissingCredentialsError'];

/** What JavaScript throws of a mistake in code, or of a document that is not as code expects it. */
const BUGS = [TypeError, RangeError, ReferenceError, SyntaxError];
const FIRST_FRAME = /^\s+at .*$/m;
const OF_THE_DRIVER = /[\\/]node_modules[\\/](?:\.pnpm[\\/])?(?:mongodb|bson)\b/;

/** Whether a failure is a bug of Tidemark, or a damaged record: the driver, too, stumbles where a connection goes under it. */
function isBug(thrown: unknown): boolean {
  if (!BUGS.some((kind) => thrown instanceof kind)) return false;
  return !OF_THE_DRIVER.test(FIRST_FRAME.exec((thrown as Error).stack ?? '')?.[0] ?? '');
}

/**
 * The error that callers receive when the database failed, with what was thrown in the log: `unavailable`, unless it is
 * known to be a bug, a damaged record, or an operation that the database refuses, which are `internal`.
 */
export function toStoreError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (!(thrown instanceof MongoError))
    return isBug(thrown)
      ? toAppError(thrown)
      : new AppError('unavailable', 'The request ended before the database answered; try again shortly.', {
          cause: thrown,
          retryAfterMs: 1_000,
        });
  const rejected =
    MISUSE.includes(thrown.name) ||
    (thrown instanceof MongoServerError && !isTransient(thrown) && !SERVER_TROUBLE.has(thrown.code));
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
