import { createHash } from 'node:crypto';
import { type RecoveryRange, recoverable } from './recoverable.ts';
import { compare, type RecoveryState, type Span, usableOf } from './state.ts';

/** Points that could be restored, and could be no longer. */
export interface LostSpan {
  readonly from: bigint;
  readonly to: bigint;
  readonly generation: number;
  /** It reaches the end of a log that is still written: what comes is lost, too. */
  readonly growing: boolean;
}

export interface Loss {
  /** Of the points that logs give; what a removed snapshot holds is the removal's purpose. The oldest first. */
  readonly spans: readonly LostSpan[];
  /** Whether no usable snapshot would be left. */
  readonly lastGood: boolean;
}

/** What the removal of a snapshot would lose. @param now as a TSO */
export function wouldLose(state: RecoveryState, id: string, now: bigint): Loss {
  return lossBetween(state, { ...state, snapshots: state.snapshots.filter((one) => one.id !== id) }, now);
}

/** What a change would lose, such as a truncation or the removal of a log. */
export function lossBetween(before: RecoveryState, after: RecoveryState, now: bigint): Loss {
  const left = recoverable(after, now).ranges;
  const spans = recoverable(before, now).ranges.flatMap((range) =>
    without(range, left).map((span) => ({ ...span, generation: range.generation })),
  );
  return {
    spans: spans.map((span) => ({ ...span, growing: isGrowing(span, before) })),
    lastGood: usableOf(before).length > 0 && usableOf(after).length === 0,
  };
}

/**
 * What a person who knows of a loss acknowledges it by. The end of a log that is still written is not in it, as it moves on while
 * the person reads.
 */
export function acknowledgementOf({ spans, lastGood }: Loss): string {
  const told = spans.map(({ from, to, generation, growing }) => `${generation}:${from}-${growing ? '' : to}`);
  return createHash('sha256')
    .update(JSON.stringify([told, lastGood]))
    .digest('hex');
}

/** Whether a person knows of a loss, and of nothing less. @param acknowledged of what was told; undefined: nothing was */
export function isAcknowledged(loss: Loss, acknowledged: string | undefined): boolean {
  return acknowledged === acknowledgementOf(loss);
}

export function isNothing({ spans, lastGood }: Loss): boolean {
  return spans.length === 0 && !lastGood;
}

/** A range less others. Points are whole numbers. */
function without({ from, to }: Span, others: readonly Span[]): Span[] {
  const spans: Span[] = [];
  let start = from;
  for (const other of others.toSorted((one, two) => compare(one.from, two.from))) {
    if (other.to < start || other.from > to) continue;
    if (other.from > start) spans.push({ from: start, to: other.from - 1n });
    start = other.to + 1n;
  }
  return start <= to ? [...spans, { from: start, to }] : spans;
}

function isGrowing(
  { to, generation }: Pick<RecoveryRange, 'to' | 'generation'>,
  { generations }: RecoveryState,
): boolean {
  const log = generations.find(({ n }) => n === generation);
  return log?.open === true && log.max === to;
}
