/**
 * What a cluster can be brought back to.
 *
 * V1. A point of a range is promised by one log and one snapshot: no range joins two logs, nor crosses a break in one.
 * V2. A snapshot that is damaged, cannot be decrypted or is asked to go serves nothing.
 * V3. A log of one cluster of TiDB is replayed from no snapshot of another, such as one that stood behind the registration before.
 */
import { basesIn, segments } from './segments.ts';
import { compare, type Generation, larger, type RecoveryState, type Snapshot, type Span, usableOf } from './state.ts';

/** Points that can be restored, all of one log. */
export interface RecoveryRange extends Span {
  readonly generation: number;
  /** The oldest snapshot that serves it. */
  readonly baseId: string;
}

/** Points that cannot be restored, and why: a word such as `noLog`, `noBase`, `paused`, `lag`, or why a log ended or was cut. */
export interface Hole extends Span {
  readonly why: string;
}

export interface Recoverable {
  /** The oldest first. */
  readonly ranges: readonly RecoveryRange[];
  /** The usable snapshots, which need no log; the oldest first. */
  readonly points: readonly Snapshot[];
  /** What no range covers from the oldest point to now, where there are logs at all; the oldest first. */
  readonly holes: readonly Hole[];
  /** The newest point of all; undefined where there is none. */
  readonly newest: bigint | undefined;
}

/** @param now as a TSO */
export function recoverable(state: RecoveryState, now: bigint): Recoverable {
  const points = usableOf(state);
  const ranges = state.generations
    .flatMap((generation) => rangesOf(generation, points))
    .sort((one, other) => compare(one.from, other.from));
  const ends = [...points.map(({ tso }) => tso), ...ranges.map(({ to }) => to)];
  return {
    ranges,
    points,
    holes: holesOf(state, ranges, points[0]?.tso ?? now, now),
    newest: ends.length === 0 ? undefined : ends.reduce(larger),
  };
}

/** Whether a point lies in one of the spans. */
export function covers(spans: readonly Span[], point: bigint): boolean {
  return spans.some(({ from, to }) => from <= point && point <= to);
}

/** From what a point is restored: the newest snapshot before it in a log that has the point; undefined where none serves it. */
export function baseOf(
  state: RecoveryState,
  point: bigint,
): { readonly snapshot: Snapshot; readonly generation: number } | undefined {
  const usable = usableOf(state);
  for (const generation of state.generations.toReversed()) {
    if (!covers(rangesOf(generation, usable), point)) continue;
    const piece = segments(generation).findLast((one) => covers([one], point));
    const snapshot = piece && basesIn(piece, generation, usable).findLast(({ tso }) => tso <= point);
    if (snapshot) return { snapshot, generation: generation.n };
  }
  return undefined;
}

function rangesOf(generation: Generation, usable: readonly Snapshot[]): RecoveryRange[] {
  return segments(generation).flatMap((piece) => {
    const [first] = basesIn(piece, generation, usable);
    if (!first) return [];
    return withoutInner({ from: first.tso, to: piece.to }, generation).map((span) => ({
      ...span,
      generation: generation.n,
      baseId: first.id,
    }));
  });
}

/** A span without the points strictly inside of cuts that can be crossed. */
function withoutInner({ from, to }: Span, { cuts }: Generation): Span[] {
  const inner = cuts.filter(({ crossable }) => crossable).sort((one, other) => compare(one.from, other.from));
  const spans: Span[] = [];
  let start = from;
  for (const cut of inner) {
    if (cut.to <= start || cut.from >= to) continue;
    if (cut.from >= start) spans.push({ from: start, to: cut.from });
    start = larger(start, cut.to);
  }
  return start <= to ? [...spans, { from: start, to }] : spans;
}

function holesOf(state: RecoveryState, ranges: readonly Span[], oldest: bigint, now: bigint): Hole[] {
  if (state.generations.length === 0) return [];
  const edges = [oldest, now, ...ranges.flatMap(({ from, to }) => [from, to]), ...state.generations.flatMap(edgesOf)]
    .filter((edge) => edge >= oldest && edge <= now)
    .sort(compare);
  const holes: Hole[] = [];
  for (const [index, to] of edges.entries()) {
    const from = edges[index - 1];
    if (from === undefined || from === to || ranges.some((range) => range.from <= from && to <= range.to)) continue;
    const why = whyNot({ from, to }, state);
    const last = holes.at(-1);
    if (last?.to === from && last.why === why) holes[holes.length - 1] = { from: last.from, to, why };
    else holes.push({ from, to, why });
  }
  return holes;
}

const edgesOf = ({ min, max, cuts }: Generation): bigint[] => [
  ...(min === null || max === null ? [] : [min, max]),
  ...cuts.flatMap(({ from, to }) => [from, to]),
];

/** Why a span without an edge in it lies in no range: of the log that has it, else of the last that was begun before it. */
function whyNot({ from, to }: Span, { generations }: RecoveryState): string {
  const begun = generations.filter(({ min }) => min !== null && min <= from);
  const having = begun.findLast(({ max }) => max !== null && max >= to);
  const cut = having?.cuts.find((one) => one.from <= from && to <= one.to);
  if (having) return cut?.why ?? 'noBase';
  const before = begun.at(-1);
  if (!before) return 'noLog';
  if (before.endedWhy) return before.endedWhy;
  return before.paused ? 'paused' : 'lag';
}
