/**
 * How far the clock of the database is ahead of this process's monotonic one, from answers that were under way for a
 * while (Marzullo's algorithm for one server): the database read its clock somewhere between request and answer, so each
 * answer gives two bounds, and what is true lies in what they have in common.
 */

/** The offset lies between these, in ms, as known when the monotonic clock said `at`. */
export interface OffsetBounds {
  readonly low: number;
  readonly high: number;
  readonly at: number;
  /** What was read at `at` by what was known before; absent where the database's clock was set. */
  readonly before?: number;
}

/** An answer: the time that the database returned, and when it was asked and heard by the monotonic clock, all in ms. */
export interface ClockReading {
  readonly time: number;
  readonly sentAt: number;
  readonly receivedAt: number;
}

/** How fast two clocks part, one of them being corrected: what NTP's daemons allow themselves at most (500 ppm). */
const DRIFT = 0.0005;
/** What the database returns is cut to whole milliseconds. */
const RESOLUTION_MS = 1;

/** How fast time goes on while it was read too far ahead. */
const CATCHING_UP = 0.5;

/**
 * The time of the database when the monotonic clock says `at`, in ms. It never steps back because more became known of it, and goes
 * slower until it is right: what is accepted first has the earlier time.
 */
export function timeAt({ low, high, at: knownAt, before = -Infinity }: OffsetBounds, at: number): number {
  return Math.max(at + (low + high) / 2, before + (at - knownAt) * CATCHING_UP);
}

/**
 * What is known after one more answer. A slow answer takes nothing away from what a quick one showed; one that contradicts
 * it says that the database's clock was set, and counts alone.
 */
export function narrowOffset(
  known: OffsetBounds | undefined,
  { time, sentAt, receivedAt }: ClockReading,
): OffsetBounds {
  const read = { low: time - receivedAt, high: time + RESOLUTION_MS - sentAt, at: receivedAt };
  if (!known) return read;
  const parted = (receivedAt - known.at) * DRIFT;
  const low = Math.max(read.low, known.low - parted);
  const high = Math.min(read.high, known.high + parted);
  return low <= high ? { low, high, at: receivedAt, before: timeAt(known, receivedAt) } : read;
}
