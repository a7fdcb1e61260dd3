import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

/** The pause before the so-manieth try in a row, from 1: it doubles up to ten seconds. */
export function pauseBefore(attempt: number): number {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(attempt - 1, 10));
}

/**
 * Does something until it succeeds, with growing pauses: what is in the way, such as a full disk, may pass.
 *
 * @param onFailure called each time, with the pause that follows in milliseconds
 * @returns whether it was done; `false` when the signal aborted first
 */
export async function keepTrying(
  act: () => Promise<void>,
  onFailure: (error: Error, pauseMs: number) => void,
  signal: AbortSignal,
): Promise<boolean> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await act();
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const pauseMs = pauseBefore(attempt);
      onFailure(error as Error, pauseMs);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
  return false;
}
