/**
 * What of the time of a cluster can be restored, as it lies on a line, and what is known of a moment on it. Pure.
 *
 * 1. A moment that is said to be restorable is: the ends of a range are rounded into it, as a TSO is finer than a millisecond.
 * 2. Of any other moment it says why not, and the nearest ones on both sides that can be restored, where there are any.
 */
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import type { ListRecoveryPointsResponse } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { Axis } from './night.ts';

/** Every millisecond of it can be restored, the first and the last one too. */
export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
  /** Number of the log that leads there. */
  readonly generation: number;
  readonly baseBackupId: string;
}

export interface Hole {
  readonly fromMs: number;
  readonly toMs: number;
  /** A constant, such as noBase. */
  readonly why: string;
}

/** A moment that can be restored: of a backup alone where one is named, else by a log. */
export interface Moment {
  readonly ms: number;
  readonly backupId?: string;
}

export interface Recoverable {
  /** The newest first, as all of these. */
  readonly ranges: readonly Range[];
  readonly holes: readonly Hole[];
  /** Those of backups. */
  readonly points: readonly Moment[];
  /** There are older backups. */
  readonly isCut: boolean;
}

type Answer = Pick<ListRecoveryPointsResponse, 'ranges' | 'holes' | 'points' | 'nextPageToken'>;

/** Below the milliseconds of a TSO. */
const LOGICAL_BITS = 18n;
const msOf = (at: Timestamp | undefined) => (at ? timestampMs(at) : 0);

export function recoverableOf({ ranges, holes, points, nextPageToken }: Answer): Recoverable {
  return {
    ranges: ranges
      .map(({ fromTs, toTs, generation, baseBackupId }) => ({
        fromMs: Number(-(-fromTs >> LOGICAL_BITS)),
        toMs: Number(toTs >> LOGICAL_BITS),
        generation,
        baseBackupId,
      }))
      .filter(({ fromMs, toMs }) => fromMs <= toMs),
    holes: holes.map(({ fromTime, toTime, why }) => ({ fromMs: msOf(fromTime), toMs: msOf(toTime), why })),
    points: points.map(({ time, backupId }) => ({ ms: msOf(time), backupId })),
    isCut: nextPageToken !== '',
  };
}

/** The ends of ranges and the backups, the oldest first. */
function edgesOf({ ranges, points }: Recoverable): Moment[] {
  const ends = ranges.flatMap(({ fromMs, toMs }) => [{ ms: fromMs }, { ms: toMs }]);
  return [...ends, ...points].sort((one, other) => one.ms - other.ms);
}

/** The oldest and the newest moment that can be restored; nothing where there is none. */
export function endsOf(recoverable: Recoverable): { readonly oldest: Moment; readonly newest: Moment } | undefined {
  const edges = edgesOf(recoverable);
  const [oldest, newest] = [edges[0], edges.at(-1)];
  return oldest && newest && { oldest, newest };
}

export type Found =
  | { readonly is: 'second'; readonly range: Range }
  | { readonly is: 'backup'; readonly backupId: string }
  /** With a sentence on why, and what can be had beside it. */
  | {
      readonly is: 'nothing';
      readonly why: string;
      readonly before: Moment | undefined;
      readonly after: Moment | undefined;
    };

/** What is known of a moment. */
export function find(recoverable: Recoverable, ms: number, nowMs: number): Found {
  const covers = ({ fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) => fromMs <= ms && ms <= toMs;
  const range = recoverable.ranges.find(covers);
  if (range) return { is: 'second', range };
  const backupId = recoverable.points.find((point) => point.ms === ms)?.backupId;
  if (backupId !== undefined) return { is: 'backup', backupId };
  const edges = edgesOf(recoverable);
  const [before, after] = [edges.findLast((edge) => edge.ms < ms), edges.find((edge) => edge.ms > ms)];
  return { is: 'nothing', why: whyNot(), before, after };

  function whyNot(): string {
    if (ms > nowMs) return 'It is in the future.';
    const hole = recoverable.holes.find(covers);
    if (hole) return `${holeWords(hole.why)}.`;
    if (before) return 'No log leads there from the backup before it.';
    return recoverable.isCut
      ? 'Backups that are so old are in the list of all of them.'
      : 'Nothing is kept that is so old.';
  }
}

const HOLES: Readonly<Record<string, string>> = {
  noBase: 'No good full backup lies before it in its log, from which that could be replayed',
  noLog: 'No log was written then',
  lag: 'The log is not complete so far',
  paused: 'The log backup is paused',
  stopped: 'The log backup had been stopped',
  vanished: 'Somebody had stopped the task of the log backup by hand',
  neverStarted: 'The log backup could not be started',
  startLost: 'The start of the log backup came to nothing',
  replacedByHand: 'Somebody had put another task in the place of the log backup',
  historyLost: 'The log was interrupted for longer than the cluster keeps its history',
  restoredMeanwhile: 'Something was restored into the cluster while its log was written',
};

/** Why nothing in a hole can be restored. */
export function holeWords(why: string): string {
  return HOLES[why] ?? `The log is interrupted (${why})`;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How far back a line reaches, and how far its marks are apart. */
export interface Reach {
  readonly name: string;
  readonly ms: number;
  readonly tickMinutes: number;
}

export const REACHES: readonly Reach[] = [
  { name: '1 hour', ms: HOUR_MS, tickMinutes: 10 },
  { name: '1 day', ms: DAY_MS, tickMinutes: 3 * 60 },
  { name: '7 days', ms: 7 * DAY_MS, tickMinutes: 24 * 60 },
  { name: '30 days', ms: 30 * DAY_MS, tickMinutes: 5 * 24 * 60 },
];

/** The least that reaches a moment, else the furthest. */
export function reachTo(ms: number, nowMs: number, reaches = REACHES): Reach {
  return reaches.find((reach) => nowMs - reach.ms <= ms) ?? (reaches.at(-1) as Reach);
}

/** A line that ends about now, and moves on now and then. */
export function axisOf({ ms }: Reach, nowMs: number): Axis {
  const step = ms / 600;
  const toMs = Math.ceil(nowMs / step) * step;
  return { fromMs: toMs - ms, toMs };
}

/** Marks on full hours and days of the reader's zone. */
export function ticksOn({ fromMs, toMs }: Axis, { tickMinutes }: Reach): number[] {
  const from = new Date(fromMs);
  const [year, month, day] = [from.getFullYear(), from.getMonth(), from.getDate()];
  const isOfDays = tickMinutes >= 24 * 60;
  const count = Math.ceil((toMs - fromMs + DAY_MS) / (tickMinutes * MINUTE_MS)) + 1;
  return Array.from({ length: count }, (_, index) =>
    isOfDays
      ? +new Date(year, month, day + (index * tickMinutes) / (24 * 60))
      : +new Date(year, month, day, 0, index * tickMinutes),
  ).filter((ms) => ms >= fromMs && ms <= toMs);
}

/** The moment at a part of the line, as exact as can be pointed at. */
export function pointedAt({ fromMs, toMs }: Axis, part: number): number {
  const unit = toMs - fromMs > HOUR_MS ? MINUTE_MS : SECOND_MS;
  const inside = Math.min(1, Math.max(0, part));
  return Math.round((fromMs + inside * (toMs - fromMs)) / unit) * unit;
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -SECOND_MS,
  ArrowRight: SECOND_MS,
  ArrowDown: -MINUTE_MS,
  ArrowUp: MINUTE_MS,
  PageDown: -HOUR_MS,
  PageUp: HOUR_MS,
};

/** Where a key leads from a moment; nothing where it leads nowhere. Never behind now, nor before all that is kept. */
export function movedBy(key: string, ms: number, recoverable: Recoverable, nowMs: number): number | undefined {
  const ends = endsOf(recoverable);
  if (!ends) return undefined;
  if (key === 'Home') return ends.oldest.ms;
  if (key === 'End') return ends.newest.ms;
  const step = STEPS[key];
  return step === undefined
    ? undefined
    : Math.min(Math.max(ms + step, ends.oldest.ms), Math.max(nowMs, ends.newest.ms));
}
