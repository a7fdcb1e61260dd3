/**
 * Pages of backups, newest first, and how many there are in all.
 *
 * PG1. A page costs by how deep it lies, not by how many backups there are: they are looked through in spans of time, the
 *      newest first, since some servers sort all that matches before they take the first ten.
 * PG2. All of it ends in the time that it was given. A page that could not be filled says where to go on to who goes on by
 *      positions, and is refused to who counts pages, as is one that could not be reached; a total that was not counted to
 *      its end says so.
 * PG3. A total is exact up to a bound, and for one cluster as far as time allows. It is never below what the page ends
 *      with, and above that if more may follow.
 * PG4. A position is behind the last backup that was looked at. So whoever goes on by positions is told every backup once
 *      that is there all the while.
 */
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { isOutOfTime } from '@tidemark/mongo/mongo-error';
import type { Collection } from 'mongodb';
import type { Backup } from './backup.ts';
import { type BackupFilter, isNarrow, type Span, spanOf, type Twins, toQuery } from './backup-filter.ts';

/** Behind a backup in a list. */
export interface Position {
  /** How many come before. */
  readonly before: number;
  readonly at: Date;
  /** Of those that were started at that instant the ones with a smaller id follow; empty: none of them. */
  readonly id: string;
}

export interface PageWish {
  /** How many to leave out, behind `after` where that is given. */
  readonly skip: number;
  readonly limit: number;
  readonly after?: Position;
  /** Whether the caller goes on by positions, so that a page which could not be filled in time loses it nothing. */
  readonly mayBePartial: boolean;
  /** Whether the caller can do without the total. */
  readonly withoutTotal: boolean;
  /** Up to how many backups a total is exact. */
  readonly exactTotal: number;
  /** How long page and total may take together. */
  readonly withinMs: number;
}

export interface BackupPage {
  readonly backups: Backup[];
  /** Undefined where it was left out. */
  readonly total: number | undefined;
  /** Whether there may be more than the total says. */
  readonly isAtLeast: boolean;
  /** Where the next page goes on: behind a full page, and behind one that could not be filled in time. */
  readonly next: Position | undefined;
}

/** How long an operation may take, for the server and for the driver. */
interface Bounds {
  readonly maxTimeMS: number;
  readonly signal: AbortSignal;
}

interface Walked {
  /** Whether it ended because enough was found. */
  readonly enough: boolean;
  /** Since when all was looked at, in milliseconds. */
  readonly until: number;
  /** Whether anything was looked at. */
  readonly advanced: boolean;
}

/** What no row of a list tells, and may be long. */
const LISTED = { 'attempts.argv': 0, 'target.brOptions': 0 } as const;
const HOUR_MS = 3_600_000;
/** Which part of the time that is left looking at a span is to take, and which part it may. */
const SPAN_TAKES = 0.125;
const SPAN_MAY_TAKE = 0.67;
/** By how much a span may be longer than the one before, or shorter. */
const STRETCH = 64;
/** By how much a span is shorter than one that took too long. */
const SHRINK = 16;
/** A span is longer by this than what is missing will need, so that it is seldom missed by little. */
const RESERVE = 1.2;
/** With less time than this no span is begun. */
const SHORT_MS = 20;
/** How much longer the driver waits for a server that does not look at the time. */
const SLACK_MS = 50;

/**
 * A page of a selection.
 *
 * @param now where the newest backups are looked for
 * @throws AppError `invalid_argument` where a page cannot be reached by its number in time, `deadline_exceeded` where the
 *   database did not answer at all
 */
export async function readPage(
  backups: Collection<Backup>,
  filter: BackupFilter,
  wish: PageWish,
  now: Date,
  signal: AbortSignal,
): Promise<BackupPage> {
  const endsAt = performance.now() + wish.withinMs;
  const count = (part: Span | Twins, bounds: Bounds, limit?: number) =>
    backups.countDocuments(toQuery(filter, part), { ...bounds, ...(limit !== undefined && { limit }) });
  const start: Start = { filter, after: wish.after, now, endsAt, signal };

  const rows: Backup[] = [];
  let skip = wish.skip;
  const walked = await walk(start, async (part, bounds) => {
    if (skip > 0) {
      const found = await count(part, bounds);
      if (found <= skip) {
        skip -= found;
        return { found, missing: skip + wish.limit };
      }
    }
    const found = await backups
      .find(toQuery(filter, part), { ...bounds, projection: LISTED })
      .sort({ startTime: -1, _id: -1 })
      .skip(skip)
      .limit(wish.limit - rows.length)
      .toArray();
    rows.push(...found);
    skip = 0;
    return { found: found.length, missing: wish.limit - rows.length };
  });

  const end = (wish.after?.before ?? 0) + wish.skip - skip + rows.length;
  if (!walked.enough && walked.until <= spanOf(filter).from)
    return { backups: rows, total: end, isAtLeast: false, next: undefined };
  if (!walked.enough) {
    if (skip > 0) throw tooDeep();
    if (!walked.advanced) throw tooSlow();
    if (!wish.mayBePartial) throw notFilled();
    // Above what a full page would end with: whoever counts pages asks for the next one.
    const total = wish.withoutTotal ? undefined : end - rows.length + wish.limit + 1;
    const next = { before: end, at: new Date(walked.until), id: '' };
    return { backups: rows, total, isAtLeast: total !== undefined, next };
  }
  const last = rows.at(-1) as Backup;
  const next = { before: end, at: last.startTime, id: last._id };
  if (wish.withoutTotal) return { backups: rows, total: undefined, isAtLeast: false, next };

  if (filter.clusterIds.length === 1) {
    const all = await inTime(endsAt - performance.now(), signal, (bounds) => count(spanOf(filter), bounds));
    if (all !== LATE) return { backups: rows, total: Math.max(all, end), isAtLeast: false, next };
  }
  const toFind = Math.max(wish.exactTotal - end, 0) + 1;
  let more = 0;
  const counted = await walk({ ...start, after: next }, async (part, bounds) => {
    const found = await count(part, bounds, toFind - more);
    more += found;
    return { found, missing: toFind - more };
  });
  if (counted.enough) return { backups: rows, total: Math.max(wish.exactTotal, end + 1), isAtLeast: true, next };
  const isAtLeast = counted.until > spanOf(filter).from;
  return { backups: rows, total: isAtLeast ? Math.max(end + more, end + 1) : end + more, isAtLeast, next };
}

interface Start {
  readonly filter: BackupFilter;
  readonly after: Position | undefined;
  readonly now: Date;
  readonly endsAt: number;
  readonly signal: AbortSignal;
}

/** How many that match a span had, and how many more are wanted. */
interface Looked {
  readonly found: number;
  readonly missing: number;
}

/**
 * Goes back in time through a selection, in spans that are as long as can be looked at soon.
 *
 * @param look is begun anew with a shorter span where it took too long
 */
async function walk(
  { filter, after, now, endsAt, signal }: Start,
  look: (part: Span | Twins, bounds: Bounds) => Promise<Looked>,
): Promise<Walked> {
  const whole = spanOf(filter);
  const top = Math.min(whole.until, after ? +after.at : whole.until);
  const leftMs = () => endsAt - performance.now();
  let advanced = false;
  // Some of what a span takes has nothing to do with its length.
  let quickestMs = Number.POSITIVE_INFINITY;
  const lookAt = async (part: Span | Twins) => {
    const startedAt = performance.now();
    const looked = await inTime(leftMs() * SPAN_MAY_TAKE, signal, (bounds) => look(part, bounds));
    if (looked === LATE) return LATE;
    advanced = true;
    const tookMs = performance.now() - startedAt;
    quickestMs = Math.min(quickestMs, tookMs);
    return { ...looked, lookingMs: tookMs - quickestMs };
  };
  if (after && after.id !== '') {
    const looked = await lookAt({ at: +after.at, below: after.id });
    if (looked === LATE || looked.missing <= 0) return { enough: looked !== LATE, until: top, advanced };
  }
  let until = top;
  let byTime = !isNarrow(filter);
  let length = byTime ? HOUR_MS : Number.POSITIVE_INFINITY;
  while (until > whole.from && leftMs() > SHORT_MS) {
    const from = Math.max(whole.from, Math.min(until, +now) - length);
    const looked = await lookAt({ from, until, byTime });
    if (looked === LATE) {
      length = byTime ? Math.max(1, Math.floor((Math.min(until, +now) - from) / SHRINK)) : HOUR_MS;
      byTime = true;
      continue;
    }
    until = from;
    if (looked.missing <= 0) return { enough: true, until, advanced };
    const { found, missing, lookingMs } = looked;
    const inTimeLeft = (leftMs() * SPAN_TAKES) / Math.max(1, lookingMs);
    const stretch = found > 0 ? Math.min(inTimeLeft, (RESERVE * missing) / found) : inTimeLeft;
    length = Math.max(1, Math.round(length * Math.min(STRETCH, Math.max(1 / STRETCH, stretch))));
  }
  return { enough: false, until, advanced };
}

const LATE = Symbol('late');

/** Does what may take too long. */
async function inTime<T>(
  ms: number,
  signal: AbortSignal,
  act: (bounds: Bounds) => Promise<T>,
): Promise<T | typeof LATE> {
  const maxTimeMS = Math.max(1, Math.round(ms));
  const late = AbortSignal.timeout(maxTimeMS + SLACK_MS);
  try {
    return await act({ maxTimeMS, signal: AbortSignal.any([signal, late]) });
  } catch (error) {
    if (!signal.aborted && (late.aborted || isOutOfTime(error))) return LATE;
    throw error;
  }
}

function tooDeep(): AppError {
  return invalidArgument([
    {
      field: 'page',
      description:
        'lies too deep to be reached by its number in time; go on by the pageToken that comes with each full page',
    },
  ]);
}

function notFilled(): AppError {
  return invalidArgument([
    {
      field: 'page',
      description:
        'could not be filled in time, as few of many backups match; read the list with withoutTotal=true, and go on by its pageToken',
    },
  ]);
}

function tooSlow(): AppError {
  return new AppError('deadline_exceeded', 'The database is too slow just now to look for backups; try again shortly.');
}
