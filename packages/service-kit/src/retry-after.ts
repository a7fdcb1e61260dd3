const SHORTEST_MS = 500;
const SHORTEST_SPREAD_MS = 1_000;
const LONGEST_SPREAD_MS = 10_000;

/**
 * After how many milliseconds one of many who are turned away because of overload may try again: by chance, over as long as
 * it takes to serve all of them, so that they do not come back all at once.
 *
 * @param turnedAway how many there were lately
 * @param perSecond how many can be served
 */
export function retryAfterOverload(turnedAway: number, perSecond: number): number {
  const spreadMs = Math.min(LONGEST_SPREAD_MS, Math.max(SHORTEST_SPREAD_MS, (turnedAway / perSecond) * 1_000));
  return Math.round(SHORTEST_MS + Math.random() * spreadMs);
}
