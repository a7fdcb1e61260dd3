import { AppError } from '@tidemark/errors/app-error';
import { MAX_REMEMBERED } from '@tidemark/limits/limits';
import { refused } from './refused.ts';

/** A bucket per token: so many requests a second, with bursts. */
export interface RateLimit {
  /** @throws AppError `too_many_requests` with the time until the next one is taken */
  take(tokenId: string): void;
  /** `RateLimit-Limit`, `-Remaining` and `-Reset` as they are now, for an answer to this token. */
  headers(tokenId: string): Readonly<Record<string, string>>;
}

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export interface Buckets {
  /** What is left of a key's bucket now, with fractions. */
  left(key: string): number;
  /** Takes one, also where less is left: never below nothing. */
  take(key: string): void;
}

interface Bucket {
  left: number;
  at: number;
}

/** Buckets by key that fill up again by themselves; those that were not used for longest are forgotten first. */
export function createBuckets({ perSecond, burst }: Rate, most = MAX_REMEMBERED): Buckets {
  const buckets = new Map<string, Bucket>();
  const left = (key: string): number => {
    const bucket = buckets.get(key);
    return bucket ? Math.min(burst, bucket.left + ((performance.now() - bucket.at) / 1000) * perSecond) : burst;
  };
  return {
    left,
    take(key) {
      const bucket = { left: Math.max(0, left(key) - 1), at: performance.now() };
      buckets.delete(key);
      buckets.set(key, bucket);
      const [oldest] = buckets.keys();
      if (buckets.size > most && oldest !== undefined) buckets.delete(oldest);
    },
  };
}

export function createRateLimit(rate: Rate): RateLimit {
  const { perSecond, burst } = rate;
  const buckets = createBuckets(rate);
  return {
    take(tokenId) {
      const left = buckets.left(tokenId);
      if (left < 1) {
        refused.inc({ reason: 'rate' });
        throw new AppError(
          'too_many_requests',
          `More than ${perSecond} requests a second came with this token; slow down.`,
          { retryAfterMs: ((1 - left) / perSecond) * 1000 },
        );
      }
      buckets.take(tokenId);
    },
    headers(tokenId) {
      const left = buckets.left(tokenId);
      return {
        'ratelimit-limit': String(burst),
        'ratelimit-remaining': String(Math.floor(left)),
        'ratelimit-reset': String(Math.ceil((burst - left) / perSecond)),
      };
    },
  };
}
