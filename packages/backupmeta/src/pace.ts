import { sleep } from '@tidemark/service-kit/backoff';

/** Waits until so many more bytes may be read. */
export type Pace = (bytes: number, signal: AbortSignal) => Promise<void>;

/** Reads of one pace come to at most this together, over any second but the first. */
export function createPace(bytesPerSecond: number | undefined): Pace {
  if (bytesPerSecond === undefined) return async () => undefined;
  let free = performance.now();
  return async (bytes, signal) => {
    const now = performance.now();
    free = Math.max(free, now) + (1_000 * bytes) / bytesPerSecond;
    await sleep(free - now, signal);
  };
}
