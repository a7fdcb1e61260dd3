/**
 * Pages of a list that is told newest first, and how many there are in all.
 *
 * PG1. A page costs by how deep it lies, not by how many there are: the list is looked through in spans of time, the newest
 *      first, since some servers read and sort all that an index leads to before they take the first ten.
 * PG2. All of it ends in the time that it was given. Some servers cannot be stopped, so nothing is begun that would take
 *      long, and few looks of a process are under way at once. A page that could not be filled says where to go on to who
 *      goes on by positions, and is refused to who counts pages, as is one that could not be reached, unless it is only the
 *      database that is slow: then it may be asked for again. A total that was not counted to its end says so.
 * PG3. A total is exact up to a bound, and of what is counted whole as far as time allows. It is never below what the page
 *      ends with, and above that if more may follow.
 * PG4. A position is behind the last one that was looked at. So whoever goes on by positions is told everything once that
 *      is there all the while.
 */
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import type { Collection, Document } from 'mongodb';
import type { Position, Selection } from './selection.ts';
import {
  type Bounds,
  FIRST_SPAN_MS,
  inTime,
  LATE,
  type Part,
  RESERVE,
  SPAN_TAKES,
  type Start,
  walk,
} from './span-walk.ts';
import { createTurnstile } from './turnstile.ts';

export interface PageWish {
  /** How many to leave out, behind `after` where that is given. */
  readonly skip: number;
  readonly limit: number;
  readonly after?: Position;
  /** Whether the caller goes on by positions, so that a page which could not be filled in time loses it nothing. */
  readonly mayBePartial: boolean;
  /** Whether the caller can do without the total. */
  readonly withoutTotal: boolean;
  /** Up to how many a total is exact. */
  readonly exactTotal: number;
  /** How long page and total may take together. */
  readonly withinMs: number;
}

export interface Page<T> {
  readonly rows: T[];
  /** Undefined where it was left out. */
  readonly total: number | undefined;
  /** Whether there may be more than the total says. */
  readonly isAtLeast: boolean;
  /** Where the next page goes on: behind a full page, and behind one that could not be filled in time. */
  readonly next: Position | undefined;
}

export interface Pages<T> {
  /**
   * A page of a selection.
   *
   * @param now where the newest are looked for
   * @throws AppError `invalid_argument` where a page cannot be reached by its number in time, `deadline_exceeded` where the
   *   database did not answer at all
   */
  read(selection: Selection, wish: PageWish, now: Date, signal: AbortSignal): Promise<Page<T>>;
}

export interface PagesOptions {
  /** The field that the list is in the order of. */
  readonly time: string;
  /** What no row of the list tells, and may be long. */
  readonly leftOut?: Document;
}

/** Of what a position says that it can be looked through soon. */
const LONGEST_SPAN_MS = 7 * 86_400_000;
/** Where fewer looks fit into the time than an empty list takes it is the database that is slow, and not the list that is long. */
const FEW_LOOKS = 8;
/** How many times as many there may have been as there are, where old ones are removed. */
const SHRUNK = 2;
/** How many looks of a process are under way at once. */
const ABREAST = 2;
/** A list that is counted whole and is no longer than this is looked at whole, once its length is known. */
const SHORT_LIST = 1_000;
/** Of how many lists a process remembers that. */
const REMEMBERED_LISTS = 10_000;

/** Pages of a collection. */
export function createPages<T extends Document & { readonly _id: string }>(
  collection: Collection<T>,
  { time, leftOut }: PagesOptions,
): Pages<T> {
  const turnstile = createTurnstile(ABREAST);
  /** So many are there, or were. */
  let held = 0;
  /** How far apart the newest of a list with such filters were of late, and how long a span was looked at soon. */
  const known = new Map<string, { readonly distanceMs: number; readonly quickMs: number }>();
  /** Lists that are counted whole and short, the latest last. */
  const short = new Set<string>();
  const ofPart = (part: Part) =>
    'at' in part
      ? { [time]: new Date(part.at), _id: { $lt: part.below } }
      : // The millisecond before, excluded: some servers take what equals the bound of a part of an index for beyond it.
        { [time]: { $gt: new Date(part.from - 1), $lt: new Date(part.until) } };

  /** The stages that find a part of a selection. */
  function found({ parts, rest }: Selection, part: Part): Document[][] {
    return parts.map((one) => {
      const [index, others] = '_id' in one ? [one, { ...rest, ...ofPart(part) }] : [{ ...one, ...ofPart(part) }, rest];
      return [{ $match: index }, ...(Object.keys(others).length > 0 ? [{ $match: others }] : [])];
    });
  }

  async function count(selection: Selection, part: Part, bounds: Bounds, most = Number.MAX_SAFE_INTEGER) {
    const { among } = selection;
    const stages = among
      ? [{ $group: { _id: `$${among.field}`, count: { $sum: 1 } } }]
      : [...(most < Number.MAX_SAFE_INTEGER ? [{ $limit: most }] : []), { $count: 'count' }];
    let all = 0;
    for (const finding of found(selection, part)) {
      const counts = collection.aggregate<{ _id?: string; count: number }>([...finding, ...stages], bounds);
      for (const { _id = '', count: some } of await counts.toArray()) if (!among || among.values.has(_id)) all += some;
    }
    return all;
  }

  const newestFirst = (one: Document, other: Document) => +other[time] - +one[time] || (one._id < other._id ? 1 : -1);

  async function read(selection: Selection, part: Part, bounds: Bounds, skip: number, limit: number): Promise<T[]> {
    const { among } = selection;
    const [first = [], ...others] = found(selection, part);
    const order = { $sort: { [time]: -1, _id: -1 } };
    const shown = leftOut ? [{ $project: leftOut }] : [];
    if (among) {
      const keys: Document[] = [];
      for (const finding of [first, ...others]) {
        const stages = [...finding, { $project: { [time]: 1, [among.field]: 1 } }];
        keys.push(...(await collection.aggregate(stages, bounds).toArray()));
      }
      const wanted = keys.filter((key) => among.values.has(key[among.field])).sort(newestFirst);
      const ids = wanted.slice(skip, skip + limit).map(({ _id }) => _id as string);
      if (ids.length === 0) return [];
      const rows = await collection.aggregate<T>([{ $match: { _id: { $in: ids } } }, ...shown], bounds).toArray();
      return rows.sort(newestFirst);
    }
    if (others.length === 0) {
      const cut = [...(skip > 0 ? [{ $skip: skip }] : []), { $limit: limit }];
      return await collection.aggregate<T>([...first, order, ...cut, ...shown], bounds).toArray();
    }
    const rows: T[] = [];
    for (const finding of [first, ...others]) {
      const stages = [...finding, order, { $limit: skip + limit }, ...shown];
      rows.push(...(await collection.aggregate<T>(stages, bounds).toArray()));
    }
    return rows.sort(newestFirst).slice(skip, skip + limit);
  }

  /** Whether a position may name so many before it; where that cannot be found out in time it may. */
  async function mayBeBehind(before: number, ms: number, signal: AbortSignal): Promise<boolean> {
    if (before <= held) return true;
    const all = await inTime(ms, signal, (_, maxTimeMS) => collection.estimatedDocumentCount({ maxTimeMS }));
    if (all !== LATE) held = Math.max(held, all);
    return all === LATE || before <= held * SHRUNK;
  }

  return {
    async read(selection, wish, now, signal) {
      const endsAt = performance.now() + wish.withinMs;
      const before = wish.after?.before ?? 0;
      if (!(await mayBeBehind(before, wish.withinMs * SPAN_TAKES, signal))) throw forged();
      const rows: T[] = [];
      let { skip } = wish;
      let looked = (wish.after?.id === '' && selection.byTime) || selection;
      const start: Start = {
        selection: looked,
        after: wish.after,
        now,
        endsAt,
        signal,
        turnstile,
        isUrgent: true,
        length: FIRST_SPAN_MS,
      };
      const onWholeLate = () => {
        looked = selection.byTime ?? selection;
      };
      const shape = shapeOf(selection);
      const { distanceMs = 0, quickMs = 0 } = known.get(shape) ?? {};
      const likely = Math.min(distanceMs * (skip + wish.limit) * RESERVE, quickMs);
      const list = JSON.stringify(selection.parts);
      const isShort = selection.isCountedWhole && short.has(list);
      const noteTotal = (total: number) => {
        short.delete(list);
        if (!selection.isCountedWhole || total > SHORT_LIST) return;
        short.add(list);
        const [oldest] = short;
        if (short.size > REMEMBERED_LISTS && oldest !== undefined) short.delete(oldest);
      };
      const length = isShort
        ? Number.POSITIVE_INFINITY
        : Math.round(Math.min(Math.max(wish.after?.span || likely, FIRST_SPAN_MS), LONGEST_SPAN_MS));
      const walked = await walk({ ...start, length, onWholeLate }, async (part, bounds) => {
        if (skip > 0) {
          const passed = await count(looked, part, bounds);
          if (passed <= skip) {
            skip -= passed;
            return { found: passed, missing: skip + wish.limit };
          }
        }
        const some = await read(looked, part, bounds, skip, wish.limit - rows.length);
        rows.push(...some);
        skip = 0;
        return { found: some.length, missing: wish.limit - rows.length };
      });

      const end = before + wish.skip - skip + rows.length;
      held = Math.max(held, end);
      const span = Math.min(walked.length, LONGEST_SPAN_MS);
      const newest = Math.min(selection.until, +now);
      const last = rows.at(-1);
      if (!wish.after && last) {
        const distance = Math.max(0, newest - +last[time]) / (wish.skip + rows.length);
        known.set(shape, { distanceMs: distance, quickMs: walked.quickMs });
      }
      if (!walked.enough && walked.until <= selection.from) {
        noteTotal(end);
        return { rows, total: end, isAtLeast: false, next: undefined };
      }
      if (!walked.enough) {
        // Who asks again begins with what was learnt of the list, so that a page of a slow database is reached at last.
        if (!wish.after && walked.looks > 0) {
          const distance = Math.max(0, newest - walked.until) / Math.max(1, wish.skip - skip + rows.length);
          known.set(shape, { distanceMs: distance, quickMs: Math.max(quickMs, walked.quickMs) });
        }
        if (walked.looks === 0) throw tooSlow();
        if (skip > 0) throw tooDeep();
        // Of what is counted whole there is little, and who asks for it by numbers may know nothing of positions.
        const isSlow = selection.isCountedWhole || walked.looks < FEW_LOOKS;
        if (!wish.mayBePartial) throw isSlow ? tooSlow() : notFilled();
        // Above what a full page would end with: whoever counts pages asks for the next one.
        const total = wish.withoutTotal ? undefined : end - rows.length + wish.limit + 1;
        const next = { before: end, at: new Date(walked.until), id: '', span };
        return { rows, total, isAtLeast: total !== undefined, next };
      }
      const next = { before: end, at: last?.[time] as Date, id: last?._id ?? '', span };
      if (wish.withoutTotal) return { rows, total: undefined, isAtLeast: false, next };

      const isWhole = selection.isCountedWhole;
      const bound = isWhole ? Number.MAX_SAFE_INTEGER : wish.exactTotal;
      // All of a short list are counted by one question; of others only what follows the page.
      const base = isShort ? before : end;
      const behind = isShort ? wish.after : next;
      const toFind = Math.max(bound - base, 0) + 1;
      let more = 0;
      // What is counted whole is little: the records of one cluster.
      const counting = isWhole ? Math.max(walked.length, LONGEST_SPAN_MS) : walked.length;
      const goesOn = { ...start, selection: looked, after: behind, isUrgent: isWhole, length: counting, onWholeLate };
      const counted = await walk(goesOn, async (part, bounds) => {
        const some = await count(looked, part, bounds, toFind - more);
        more += some;
        return { found: some, missing: toFind - more };
      });
      if (counted.enough) return { rows, total: Math.max(bound, end + 1), isAtLeast: true, next };
      const isAtLeast = counted.until > selection.from;
      const total = Math.max(base + more, isAtLeast ? end + 1 : end);
      if (!isAtLeast) noteTotal(total);
      return { rows, total, isAtLeast, next };
    },
  };
}

/** Which fields narrow a list: of the same ones its records are about as far apart. */
function shapeOf({ parts: [part = {}, ...others], rest, among }: Selection): string {
  return [...Object.keys(part), others.length, ...Object.keys(rest), among?.field].join(' ');
}

function forged(): AppError {
  return invalidArgument([{ field: 'pageToken', description: 'is behind more than there are; begin the list anew' }]);
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
        'could not be filled in time, as few of many match; read the list with withoutTotal=true, and go on by its pageToken',
    },
  ]);
}

function tooSlow(): AppError {
  return new AppError(
    'deadline_exceeded',
    'The database is too slow just now to look through the list; try again shortly.',
  );
}
