/**
 * Whether the gateway answers: every call passes here, so that all pages say the same of it.
 *
 * 1. Away is who answered nothing to a call while others were answered nothing either. Any answer, of an error too, ends it.
 * 2. While it is away the time of all that is shown stands still at the last answer (`clock.ts`).
 */
import { signal } from '@preact/signals';

/** Whether the last that was asked had no answer. */
export const isAway = signal(false);
/** When something was last answered; in milliseconds of the clock. */
export const answeredAt = signal(Date.now());

/** Something came from the gateway. */
export function noteAnswer(): void {
  answeredAt.value = Date.now();
  isAway.value = false;
}

/**
 * As `fetch`, and notes whether the gateway was reached; what it answers is another matter.
 *
 * @param isGivenUp whether an end by this reason means that it took too long, and not that nobody wants to know any more
 */
export function watchedFetch(isGivenUp: (reason: unknown) => boolean): typeof fetch {
  return async (input, init) => {
    const began = Date.now();
    try {
      const response = await fetch(input, init);
      noteAnswer();
      return response;
    } catch (error) {
      const isUnwanted = init?.signal?.aborted && !isGivenUp(init.signal.reason);
      if (!isUnwanted && answeredAt.value <= began) isAway.value = true;
      throw error;
    }
  };
}
