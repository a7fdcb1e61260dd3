/** Times what must be prompt, on machines that are busy with other things too. */
export interface Stopwatch {
  /** Milliseconds since the start, without those in which this process was kept from running. */
  elapsedMs(): number;
}

const TICK_MS = 10;

export function startStopwatch(): Stopwatch {
  const startedAt = performance.now();
  let lastTick = startedAt;
  let keptMs = 0;
  const tick = () => {
    const now = performance.now();
    keptMs += Math.max(0, now - lastTick - TICK_MS);
    lastTick = now;
  };
  const timer = setInterval(tick, TICK_MS).unref();
  return {
    elapsedMs() {
      tick();
      clearInterval(timer);
      return lastTick - startedAt - keptMs;
    },
  };
}
