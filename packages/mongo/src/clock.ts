/**
 * The time of the database (architecture 2, "Time"): every instant that decides something is read off this clock, so
 * that processes on machines with different clocks agree.
 *
 * C1. Time runs on the monotonic clock between refreshes, so a jump of the machine's clock changes nothing.
 * C2. A slow answer never spoils what a quick one showed (clock-offset.ts), and one that took too long is not used.
 * C3. It never steps back because more became known of it.
 * C4. While the time is known badly, it is asked for again soon: two processes that do not agree on it write histories
 *     whose times overlap.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@tidemark/errors/app-error';
import { narrowOffset, type OffsetBounds, timeAt } from './clock-offset.ts';
import type { MongoConnection, StoreLog } from './connection.ts';
import { toStoreError } from './mongo-error.ts';

export interface DatabaseClock extends AsyncDisposable {
  /** @throws AppError `unavailable` before the database was first reached */
  now(): Date;
  /** Waits for the first reading, but no longer than this: a process starts without the database too. */
  settle(ms: number): Promise<void>;
}

const REFRESH_MS = 10_000;
const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 5_000;
const LONGEST_ANSWER_MS = 2_000;
/** Bounds further apart than this are bad; a server on another continent answers in less than twice that. */
const BAD_BOUNDS_MS = 100;
const SOON_MS = 1_000;

/** Starts the clock; its first reading is under way when this returns. */
export function startDatabaseClock(
  { db }: MongoConnection,
  { log, refreshMs = REFRESH_MS }: { readonly log: StoreLog; readonly refreshMs?: number },
): DatabaseClock {
  const stop = new AbortController();
  let bounds: OffsetBounds | undefined;
  const first = Promise.withResolvers<void>();
  let wake = Promise.withResolvers<void>();

  const refresh = async (): Promise<void> => {
    const sentAt = performance.now();
    const { localTime } = await db
      .admin()
      .command({ hello: 1 }, { signal: AbortSignal.any([stop.signal, AbortSignal.timeout(LONGEST_ANSWER_MS)]) });
    const receivedAt = performance.now();
    if (!(localTime instanceof Date) || receivedAt - sentAt > LONGEST_ANSWER_MS) return;
    bounds = narrowOffset(bounds, { time: localTime.getTime(), sentAt, receivedAt });
    first.resolve();
  };

  const pause = async (ms: number): Promise<void> => {
    const timer = setTimeout(() => wake.resolve(), ms);
    await wake.promise;
    clearTimeout(timer);
    wake = Promise.withResolvers();
  };

  const run = async (): Promise<void> => {
    let retryMs = FIRST_RETRY_MS;
    while (!stop.signal.aborted) {
      const before = bounds;
      await refresh().catch((error: unknown) => {
        if (!stop.signal.aborted)
          log.warn({ error: toStoreError(error) }, 'the time of the database could not be read');
      });
      if (stop.signal.aborted) return;
      const read = bounds !== before;
      const nextMs = isGood(bounds) ? refreshMs : SOON_MS;
      await pause(Math.min(read ? nextMs : retryMs, refreshMs));
      retryMs = read ? FIRST_RETRY_MS : Math.min(2 * retryMs, LONGEST_RETRY_MS);
    }
  };

  const done = run();
  return {
    now() {
      if (!bounds)
        throw new AppError('unavailable', 'The database has not been reached yet; try again shortly.', {
          retryAfterMs: 1_000,
        });
      return new Date(timeAt(bounds, performance.now()));
    },
    settle: (ms) => Promise.race([first.promise, sleep(ms, undefined, { ref: false })]),
    async [Symbol.asyncDispose]() {
      stop.abort();
      wake.resolve();
      await done;
    },
  };
}

function isGood(bounds: OffsetBounds | undefined): boolean {
  return bounds !== undefined && bounds.high - bounds.low <= BAD_BOUNDS_MS;
}
