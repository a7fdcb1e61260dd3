/** Looks through a selection from the newest on, in spans of time that are each looked at soon (PG1 and PG2 of pages.ts). */
import { isOutOfTime } from './mongo-error.ts';
import type { Position, Selection } from './selection.ts';
import type { Turnstile } from './turnstile.ts';

/** From one instant on until before another, or at one instant with a smaller id. */
export type Part = { readonly from: number; readonly until: number } | { readonly at: number; readonly below: string };

/** How long an operation may take, for the server and for the driver. */
export interface Bounds {
  readonly batchSize: number;
  readonly maxTimeMS: number;
  readonly signal: AbortSignal;
}

/** Long enough for the newest of a busy list. */
export const FIRST_SPAN_MS = 60_000;
/** Which part of the time that is left all looks of a process together are to take, and which part one may. */
export const SPAN_TAKES = 0.125;
const SPAN_MAY_TAKE = 0.67;
/** By how much a span may be longer than the one before, or shorter. */
const STRETCH = 16;
/** By how much it is longer where that takes no more than such a part of the time that is left. */
const SAFE_STRETCH = 4;
const SAFE_PART = 0.4;
/** A span is longer by this than what is missing will need, so that it is seldom missed by little. */
export const RESERVE = 1.2;
/** Many enough for the largest page in one answer. */
const ANSWER_ROWS = 1_000;
/** With less time than this no span is begun. */
const SHORT_MS = 20;
/** How much longer the driver waits for a server that does not look at the time. */
const SLACK_MS = 50;

/** Whether there is little to look at, however long ago. */
function isFoundWhole({ parts, byTime }: Selection): boolean {
  return byTime !== undefined || parts.some((part) => '_id' in part);
}

export interface Start {
  readonly selection: Selection;
  readonly after: Position | undefined;
  readonly now: Date;
  readonly endsAt: number;
  readonly signal: AbortSignal;
  readonly turnstile: Turnstile;
  /** Before those that are not. */
  readonly isUrgent: boolean;
  /** Of the first span. */
  readonly length: number;
  /** Told when looking at the whole at once took too long. */
  readonly onWholeLate?: () => void;
}

/** How many that match a span had, and how many more are wanted. */
interface Looked {
  readonly found: number;
  readonly missing: number;
}

interface Walked {
  /** Whether it ended because enough was found. */
  readonly enough: boolean;
  /** Since when all was looked at, in milliseconds. */
  readonly until: number;
  /** How many spans were looked at. */
  readonly looks: number;
  /** Of a next span. */
  readonly length: number;
  /** Of the longest span that took no longer than it should. */
  readonly quickMs: number;
}

/**
 * Goes back in time through a selection, in spans that are as long as can be looked at soon.
 *
 * @param look is begun anew with a shorter span where it took too long
 */
export async function walk(
  { selection, after, now, endsAt, signal, turnstile, isUrgent, length: first, onWholeLate }: Start,
  look: (part: Part, bounds: Bounds) => Promise<Looked>,
): Promise<Walked> {
  const top = Math.min(selection.until, after ? +after.at : selection.until);
  const leftMs = () => endsAt - performance.now();
  let looks = 0;
  // Some of what a span takes has nothing to do with its length.
  let quickestMs = Number.POSITIVE_INFINITY;
  const lookAt = async (part: Part) => {
    let lookingMs = 0;
    // Who has looked at nothing yet goes first, and totals come last.
    const looked = await inTime(leftMs(), signal, (waitsUntil) =>
      turnstile.pass(isUrgent ? (looks > 0 ? 1 : 0) : 2, waitsUntil, () =>
        inTime(leftMs() * SPAN_MAY_TAKE, signal, async (gone, maxTimeMS) => {
          const startedAt = performance.now();
          const found = await look(part, { batchSize: ANSWER_ROWS, maxTimeMS, signal: gone });
          const tookMs = performance.now() - startedAt;
          quickestMs = Math.min(quickestMs, tookMs);
          lookingMs = tookMs - quickestMs;
          return found;
        }),
      ),
    );
    if (looked === LATE) return LATE;
    looks += 1;
    return { ...looked, lookingMs };
  };
  let quickMs = 0;
  let length = isFoundWhole(selection) ? Number.POSITIVE_INFINITY : first;
  if (after && after.id !== '') {
    const looked = await lookAt({ at: +after.at, below: after.id });
    if (looked === LATE || looked.missing <= 0) return { enough: looked !== LATE, until: top, looks, length, quickMs };
  }
  let until = top;
  while (until > selection.from && leftMs() > SHORT_MS) {
    const newest = Math.min(until, +now);
    const from = Math.max(selection.from, newest - length);
    const looked = await lookAt({ from, until });
    if (looked === LATE && length === Number.POSITIVE_INFINITY) {
      onWholeLate?.();
      length = FIRST_SPAN_MS;
      continue;
    }
    if (looked === LATE) {
      length = Math.max(1, Math.floor((newest - from) / STRETCH));
      continue;
    }
    until = from;
    if (looked.lookingMs < leftMs() * SPAN_TAKES) quickMs = Math.max(quickMs, newest - from);
    if (looked.missing <= 0) return { enough: true, until, looks, length, quickMs };
    const { found, missing, lookingMs } = looked;
    const share = (leftMs() * SPAN_TAKES) / (selection.isCountedWhole ? 1 : 1 + turnstile.waiting());
    const inTimeLeft = share / Math.max(1, lookingMs);
    // On a busy machine a look takes long however little there is: as long as the next one surely ends, the span grows.
    const safely = lookingMs * SAFE_STRETCH < leftMs() * SAFE_PART ? SAFE_STRETCH : 0;
    const longer = Math.max(inTimeLeft, safely);
    const stretch = found > 0 ? Math.min(longer, (RESERVE * missing) / found) : longer;
    length = Math.max(1, Math.round(length * Math.min(STRETCH, Math.max(1 / STRETCH, stretch))));
  }
  return { enough: false, until, looks, length, quickMs };
}

export const LATE = Symbol('late');

/** Does what may take too long. */
export async function inTime<R>(
  ms: number,
  signal: AbortSignal,
  act: (gone: AbortSignal, maxTimeMS: number) => Promise<R>,
): Promise<R | typeof LATE> {
  const maxTimeMS = Math.max(1, Math.round(ms));
  const late = AbortSignal.timeout(maxTimeMS + SLACK_MS);
  try {
    return await act(AbortSignal.any([signal, late]), maxTimeMS);
  } catch (error) {
    if (!signal.aborted && (late.aborted || isOutOfTime(error))) return LATE;
    throw error;
  }
}
