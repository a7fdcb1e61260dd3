import { createHash } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { MAX_REMEMBERED } from '@tidemark/limits/limits';
import { addressKey } from './connections.ts';
import { createBuckets, type Rate } from './rate-limit.ts';

/** Bounds how many bad tokens an address may try. */
export interface BadTokens {
  /**
   * Before a token is looked at: an address from which too many bad ones came is not heard, but for tokens that were
   * good just now, so that nobody behind the same proxy is locked out by somebody else.
   *
   * @throws AppError `too_many_requests`
   */
  admit(address: string, authorization: string | undefined): void;
  wasGood(authorization: string | undefined): void;
  wasBad(address: string, authorization: string | undefined): void;
}

export function createBadTokens(rate: Rate): BadTokens {
  const buckets = createBuckets(rate);
  /** Digests of headers that were good, used last at the end. */
  const known = new Set<string>();
  const digestOf = (text: string) => createHash('sha256').update(text).digest('base64');
  return {
    admit(address, authorization) {
      // Nothing is tried without a token.
      if (authorization === undefined) return;
      const left = buckets.left(addressKey(address));
      if (left >= 1 || known.has(digestOf(authorization))) return;
      throw new AppError('too_many_requests', 'Too many tokens that are not good came from this address; wait.', {
        retryAfterMs: ((1 - left) / rate.perSecond) * 1000,
      });
    },
    wasGood(authorization = '') {
      const digest = digestOf(authorization);
      known.delete(digest);
      known.add(digest);
      const [oldest] = known;
      if (known.size > MAX_REMEMBERED && oldest !== undefined) known.delete(oldest);
    },
    wasBad(address, authorization) {
      if (authorization === undefined) return;
      known.delete(digestOf(authorization));
      buckets.take(addressKey(address));
    },
  };
}
