import type { EventEmitter } from 'node:events';
import { AppError } from '@tidemark/errors/app-error';
import { gauge } from '@tidemark/service-kit/metrics';
import type { Limits } from './limits.ts';
import { refused } from './refused.ts';

/** The requests in flight, and whether there is room for more. */
export interface InFlight extends Disposable {
  /**
   * Counts one request in, until its response has closed.
   *
   * @throws AppError `unavailable` while there is no room
   */
  enter(response: Pick<EventEmitter, 'once'>): Place;
}

/** What a request takes of the room. */
export interface Place {
  /**
   * Says whose it is, once that is known: one token alone never fills the room.
   *
   * @throws AppError `too_many_requests` while the token has as many places as one may
   */
  belongTo(tokenId: string): void;
  /** Gives it back before the response has closed, once however often it is called. */
  leave(): void;
}

const SAMPLE_MS = 100;
const RETRY_MS = 1_000;

const inFlightNow = gauge('tidemark_http_in_flight', 'Requests being answered, streams not counted.');

/**
 * Refuses while too many requests are being answered, or while this process comes to its timers too late, twice in a
 * row: one pause is no overload. It takes requests again by itself, as soon as that is over.
 */
export function createInFlight({
  inFlight,
  inFlightPerToken,
  delayMs,
}: Pick<Limits, 'inFlight' | 'inFlightPerToken' | 'delayMs'>): InFlight {
  let count = 0;
  const ofTokens = new Map<string, number>();
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
      let owner: string | undefined;
      const leave = () => {
        if (!inside) return;
        inside = false;
        count -= 1;
        inFlightNow.set(count);
        if (owner === undefined) return;
        const left = (ofTokens.get(owner) ?? 1) - 1;
        if (left > 0) ofTokens.set(owner, left);
        else ofTokens.delete(owner);
      };
      response.once('close', leave);
      return {
        belongTo(tokenId) {
          const own = ofTokens.get(tokenId) ?? 0;
          if (own >= inFlightPerToken) {
            refused.inc({ reason: 'requests of one token' });
            throw new AppError(
              'too_many_requests',
              `As many requests of this token are being answered as may be at once, ${own}; wait for one.`,
              { retryAfterMs: RETRY_MS },
            );
          }
          if (!inside) return;
          owner = tokenId;
          ofTokens.set(tokenId, own + 1);
        },
        leave,
      };
    },
    [Symbol.dispose]: () => clearInterval(sample),
  };
}
