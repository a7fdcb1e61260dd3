/** How much would have been lost at the worst moment of some time, by what can be restored now. */

/** Moments in milliseconds since 1970, each of which can be restored; a snapshot is from and to the same. */
export interface Restorable {
  readonly from: number;
  readonly to: number;
}

/**
 * The greatest distance, in milliseconds, from a moment between `since` and `now` to the newest one before it that can be restored. Moments
 * before the first that can be restored do not count. Undefined where none can.
 */
export function worstRpoMs(restorable: readonly Restorable[], since: number, now: number): number | undefined {
  let reached: number | undefined;
  let worst = 0;
  for (const { from, to } of restorable.toSorted((one, other) => one.from - other.from)) {
    if (reached !== undefined && from > since) worst = Math.max(worst, from - reached);
    reached = Math.max(reached ?? to, to);
  }
  return reached === undefined ? undefined : Math.max(worst, now - reached);
}
