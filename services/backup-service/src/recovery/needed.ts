import { basesIn, segments } from './segments.ts';
import { larger, type RecoveryState, type Span, smaller, usableOf } from './state.ts';

export interface Needed {
  /** The snapshots without which a point of the horizon would be lost, and the points that each is the base of. */
  readonly bases: ReadonlyMap<string, readonly Span[]>;
  /** From where on each log that serves a point of the horizon is replayed. */
  readonly logFrom: ReadonlyMap<number, bigint>;
}

/**
 * What the points since an instant need. Each piece of a log has a base of its own, as none below a break serves a point above it:
 * the newest that is old enough for all points, else the oldest.
 *
 * @param from the oldest point that is to stay restorable
 */
export function needed(state: RecoveryState, from: bigint): Needed {
  const usable = usableOf(state);
  const bases = new Map<string, Span[]>();
  const logFrom = new Map<number, bigint>();
  for (const generation of state.generations)
    for (const piece of segments(generation)) {
      if (piece.to < from) continue;
      const inside = basesIn(piece, generation, usable);
      const base = inside.findLast(({ tso }) => tso <= from) ?? inside[0];
      if (!base) continue;
      const points = { from: larger(from, base.tso), to: piece.to };
      bases.set(base.id, [...(bases.get(base.id) ?? []), points]);
      logFrom.set(generation.n, smaller(logFrom.get(generation.n) ?? base.tso, base.tso));
    }
  return { bases, logFrom };
}
