/** Lets few operations of a kind be under way at once; the others wait in the order in which they came. */

export interface Turnstile {
  /**
   * Does something once there is room.
   *
   * @param isUrgent whether it goes before all that are not
   * @param signal ends the waiting
   */
  pass<R>(isUrgent: boolean, signal: AbortSignal, act: () => Promise<R>): Promise<R>;
  /** How many wait. */
  waiting(): number;
}

/** @param room how many may be under way at once */
export function createTurnstile(room: number): Turnstile {
  const urgent = new Set<() => void>();
  const others = new Set<() => void>();
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
    const line = urgent.size > 0 ? urgent : others;
    const [next] = line;
    if (!next) {
      free += 1;
      return;
    }
    line.delete(next);
    next();
  }

  return {
    async pass(isUrgent, signal, act) {
      await enter(isUrgent ? urgent : others, signal);
      try {
        return await act();
      } finally {
        leave();
      }
    },
    waiting: () => urgent.size + others.size,
  };
}
