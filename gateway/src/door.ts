import type { Authenticator, Caller } from './authenticate.ts';
import { refused } from './refused.ts';
import { toError } from './rest/error-response.ts';
import type { Strangers } from './strangers.ts';

/**
 * Lets a request in, whichever protocol it speaks.
 *
 * @param address of the client
 * @throws AppError `unauthenticated`, `token_expired`, `too_many_requests`
 */
export type Door = (address: string, authorization: string | undefined) => Promise<Caller>;

/** A door that knows who tried bad tokens, and counts whom it refused. */
export function createDoor(authenticator: Authenticator, strangers: Strangers): Door {
  return async (address, authorization) => {
    try {
      strangers.admit(address, authorization);
      const caller = await authenticator.authenticate(authorization);
      strangers.wasGood(authorization);
      return caller;
    } catch (error) {
      if (toError(error).row.http === 401) strangers.wasBad(address, authorization);
      refused.inc({ reason: 'token' });
      throw error;
    }
  };
}
