/**
 * To which moments a cluster can be brought back, from its snapshots and its logs: log-life 4 and 6. Pure; a TSO is a bigint.
 *
 * V1. A point is promised by one log and one snapshot that lies in it, or not at all: ranges never join two logs.
 * V2. Only a snapshot that is good, and that nobody removes, counts.
 * V3. Holes are not on record. They are what the ranges leave out, and are named by how the log before them ended.
 */

/** A snapshot that can be restored. */
export interface Snapshot {
  readonly id: string;
  readonly tso: bigint;
}

/** A log as far as it matters here. */
export interface Log {
  readonly n: number;
  /** From and to when it reaches. */
  readonly min: bigint;
  readonly max: bigint;
  readonly open: boolean;
  /** Why it ended; empty while it is open. */
  readonly endedWhy: string;
}

/** Every point from the one to the other can be restored. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
  readonly generation: number;
  /** The snapshot at its beginning. */
  readonly baseId: string;
}

/** No point between the two can be restored. */
export interface Hole {
  readonly from: bigint;
  readonly to: bigint;
  /** A constant: `noBase`, `noLog`, `lag`, or why the log before it ended. */
  readonly why: string;
}

export interface Recoverable {
  /** The oldest first. */
  readonly ranges: readonly Range[];
  /** Snapshots; each is a point of its own. The oldest first. */
  readonly points: readonly Snapshot[];
  readonly holes: readonly Hole[];
  /** The newest point of all; undefined where there is none. */
  readonly newest: bigint | undefined;
}

const byTso = (one: Snapshot, other: Snapshot) => (one.tso < other.tso ? -1 : 1);
const larger = (one: bigint, other: bigint) => (one > other ? one : other);

/** @param now as a TSO */
export function recoverable(snapshots: readonly Snapshot[], logs: readonly Log[], now: bigint): Recoverable {
  const points = snapshots.toSorted(byTso);
  const ranges = logs
    .map((log) => rangeOf(log, points))
    .filter((range) => range !== undefined)
    .toSorted((one, other) => (one.from < other.from ? -1 : 1));
  const ends = [...points.map(({ tso }) => tso), ...ranges.map(({ to }) => to)];
  return {
    ranges,
    points,
    holes: holesBetween(points, ranges, logs, now),
    newest: ends.length === 0 ? undefined : ends.reduce(larger),
  };
}

/** What one log promises: from the first snapshot in it on (V1). */
function rangeOf({ n, min, max }: Log, points: readonly Snapshot[]): Range | undefined {
  const base = points.find(({ tso }) => tso >= min && tso <= max);
  return base && { from: base.tso, to: max, generation: n, baseId: base.id };
}

/** The snapshot and the log from which a point is restored: the last snapshot before it, so that the least is replayed. */
export function baseOf(
  point: bigint,
  { ranges, points }: Pick<Recoverable, 'ranges' | 'points'>,
): { readonly snapshot: Snapshot; readonly generation: number } | undefined {
  const range = ranges.findLast(({ from, to }) => from <= point && point <= to);
  const snapshot = range && points.findLast(({ tso }) => tso >= range.from && tso <= point);
  return snapshot && { snapshot, generation: range.generation };
}

/** From the oldest point to now, what no range covers (V3). */
function holesBetween(
  points: readonly Snapshot[],
  ranges: readonly Range[],
  logs: readonly Log[],
  now: bigint,
): Hole[] {
  const [first] = points;
  if (!first || logs.length === 0) return [];
  const holes: Hole[] = [];
  let covered = first.tso;
  for (const { from, to } of ranges) {
    if (from > covered) holes.push({ from: covered, to: from, why: whyBetween(covered, from, logs) });
    covered = larger(covered, to);
  }
  if (now > covered) holes.push({ from: covered, to: now, why: whyBetween(covered, now, logs) });
  return holes;
}

function whyBetween(from: bigint, to: bigint, logs: readonly Log[]): string {
  const ended = logs.findLast(({ open, max }) => !open && max <= from);
  const within = logs.findLast(({ min, max }) => min < to && max > from);
  // A log that begins in the hole has no snapshot yet from which it could be replayed.
  if (within) return ended && ended.max > within.min ? ended.endedWhy : 'noBase';
  if (logs.some(({ open, max }) => open && max <= from)) return 'lag';
  return ended ? ended.endedWhy : 'noLog';
}
