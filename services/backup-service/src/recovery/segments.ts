import { compare, type Generation, larger, type Snapshot, type Span, smaller } from './state.ts';

/**
 * The pieces of a log that can be replayed without a break, the oldest first. At a cut one ends and the next begins; one that can be
 * crossed parts nothing.
 */
export function segments({ min, max, cuts }: Generation): Span[] {
  if (min === null || max === null) return [];
  const breaks = cuts.filter(({ crossable }) => !crossable).sort((one, other) => compare(one.from, other.from));
  const pieces: Span[] = [];
  let from = min;
  for (const cut of breaks) {
    if (cut.to <= from) continue;
    if (cut.from >= from) pieces.push({ from, to: smaller(cut.from, max) });
    from = larger(from, cut.to);
    if (from > max) return pieces;
  }
  return [...pieces, { from, to: max }];
}

/** The usable snapshots from which points of a piece can be replayed, the oldest first. */
export function basesIn(piece: Span, { upstreamClusterId }: Generation, usable: readonly Snapshot[]): Snapshot[] {
  const isOfIt = (id: string) => upstreamClusterId === null || id === '' || id === upstreamClusterId;
  return usable.filter((one) => one.tso >= piece.from && one.tso <= piece.to && isOfIt(one.upstreamClusterId));
}
