import type { EventEmitter } from 'node:events';
import type { Call } from '@tidemark/contract/calls';
import { requireByToken } from '../authorize.ts';
import type { Authenticator } from '../identity/authenticate.ts';
import type { Caller } from '../identity/caller.ts';
import { toError } from '../to-error.ts';
import { createBadTokens } from './bad-tokens.ts';
import { createInFlight, type Place } from './in-flight.ts';
import type { Limits } from './limits.ts';
import { createRateLimit, type Rate } from './rate-limit.ts';
import { refused } from './refused.ts';
import { createStreamSlots, type StreamSlots } from './stream-slots.ts';

/** A request before anything of its body is read, whichever protocol it speaks. */
export interface IncomingRequest {
  /** Of the client. */
  readonly address: string;
  readonly authorization: string | undefined;
  /** That it has among those in flight. */
  readonly place: Place;
  /** What it calls, where that is a call of people. */
  readonly call: Call | undefined;
  /** Takes who it is, also where that one is refused. */
  identified(caller: Caller): void;
  /** Takes the headers that every answer to this caller has. */
  answerWith(headers: Readonly<Record<string, string>>): void;
}

/** Who is let in, and how much of it at a time: each bound holds for all listeners of a gateway together. */
export interface Admission extends Disposable {
  readonly streams: StreamSlots;
  /**
   * Counts one request in, until its response has closed.
   *
   * @throws AppError `unavailable` while there is no room
   */
  enter(response: Pick<EventEmitter, 'once'>): Place;
  /**
   * Lets in who has a good token, and asks no more than the token may.
   *
   * @throws AppError `unauthenticated`, `token_expired`, `permission_denied` or `too_many_requests`
   */
  admit(request: IncomingRequest): Promise<void>;
  /** The caller as the same header proves it now. @throws AppError as at first */
  authenticate(authorization: string | undefined): Promise<Caller>;
}

export function createAdmission(authenticator: Authenticator, limits: Limits, rate: Rate): Admission {
  const inFlight = createInFlight(limits);
  const badTokens = createBadTokens(limits.badTokens);
  const rateLimit = createRateLimit(rate);

  async function identify(address: string, authorization: string | undefined): Promise<Caller> {
    try {
      badTokens.admit(address, authorization);
      const caller = await authenticator.authenticate(authorization);
      badTokens.wasGood(authorization);
      return caller;
    } catch (error) {
      if (toError(error).row.http === 401) badTokens.wasBad(address, authorization);
      refused.inc({ reason: 'token' });
      throw error;
    }
  }

  return {
    streams: createStreamSlots(limits),
    enter: (response) => inFlight.enter(response),
    authenticate: (authorization) => authenticator.authenticate(authorization),
    async admit({ address, authorization, place, call, identified, answerWith }) {
      const caller = await identify(address, authorization);
      identified(caller);
      try {
        rateLimit.take(caller.tokenId);
      } finally {
        answerWith(rateLimit.headers(caller.tokenId));
      }
      place.belongTo(caller.tokenId);
      if (call) requireByToken(caller, call);
    },
    [Symbol.dispose]: () => inFlight[Symbol.dispose](),
  };
}
