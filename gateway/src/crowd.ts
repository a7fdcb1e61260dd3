import type { EventEmitter } from 'node:events';
import { AppError } from '@tidemark/errors/app-error';
import { gauge } from '@tidemark/service-kit/metrics';
import type { Limits } from './limits.ts';
import { refused } from './refused.ts';

/** How much is being done right now, and whether there is room for more. */
export interface Crowd extends Disposable {
  /**
   * Counts one request in, until its response has closed.
   *
   * @returns counts it out before that, once however often it is called
   * @throws AppError `unavailable` while there is no room
   */
  enter(response: Pick<EventEmitter, 'once'>): () => void;
}

const SAMPLE_MS = 100;
const RETRY_MS = 1_000;

const inFlightNow = gauge('tidemark_http_in_flight', 'Requests being answered, streams not counted.');

/**
 * Refuses while too many requests are being answered, or while this process comes to its timers too late, twice in a
 * row: one pause is no overload. It takes requests again by itself, as soon as that is over.
 */
export function createCrowd({ inFlight, delayMs }: Pick<Limits, 'inFlight' | 'delayMs'>): Crowd {
  let count = 0;
  let lateInARow = 0;
  let due = performance.now() + SAMPLE_MS;
  const sample = setInterval(() => {
    const now = performance.now();
    lateInARow = now - due > delayMs ? lateInARow + 1 : 0;
    due = now + SAMPLE_MS;
  }, SAMPLE_MS).unref();
  return {
    enter(response) {
      if (count >= inFlight || lateInARow > 1) {
        refused.inc({ reason: 'overload' });
        throw new AppError('unavailable', 'The gateway has more to do than it can; try again shortly.', {
          retryAfterMs: RETRY_MS,
        });
      }
      count += 1;
      inFlightNow.set(count);
      let inside = true;
      const leave = () => {
        if (!inside) return;
        inside = false;
        count -= 1;
        inFlightNow.set(count);
      };
      response.once('close', leave);
      return leave;
    },
    [Symbol.dispose]: () => clearInterval(sample),
  };
}
