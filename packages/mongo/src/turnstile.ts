/** Lets few operations of a kind be under way at once; the others wait in the order in which they came. */

export type Rank = 0 | 1 | 2;

export interface Turnstile {
  /**
   * Does something once there is room.
   *
   * @param rank those of a smaller one go first
   * @param signal ends the waiting
   */
  pass<R>(rank: Rank, signal: AbortSignal, act: () => Promise<R>): Promise<R>;
  /** How many wait. */
  waiting(): number;
}

/** @param room how many may be under way at once */
export function createTurnstile(room: number): Turnstile {
  const lines = [new Set<() => void>(), new Set<() => void>(), new Set<() => void>()] as const;
  let free = room;

  async function enter(line: Set<() => void>, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      line.delete(resolve);
      reject(signal.reason);
    };
    line.add(resolve);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  function leave(): void {
    for (const line of lines)
      for (const next of line) {
        line.delete(next);
        next();
        return;
      }
    free += 1;
  }

  return {
    async pass(rank, signal, act) {
      await enter(lines[rank], signal);
      try {
        return await act();
      } finally {
        leave();
      }
    },
    waiting: () => lines.reduce((sum, { size }) => sum + size, 0),
  };
}
