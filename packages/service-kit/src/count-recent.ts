/** Counts what happens, and says how much of it there was lately. */
export interface RecentCount {
  /** Counts one more. @returns `recent()` */
  add(): number;
  /** How much was counted in the present interval, or in the one before where that was more. */
  recent(): number;
}

/** @param ms length of an interval, in milliseconds */
export function countRecent(ms: number): RecentCount {
  let interval = 0;
  let before = 0;
  let now = 0;
  const turn = () => {
    const current = Math.floor(performance.now() / ms);
    if (current === interval) return;
    before = current === interval + 1 ? now : 0;
    now = 0;
    interval = current;
  };
  const recent = () => {
    turn();
    return Math.max(before, now);
  };
  return {
    add() {
      turn();
      now += 1;
      return recent();
    },
    recent,
  };
}
