import { AppError } from '@tidemark/errors/app-error';

/** A bucket per token: so many requests a second, with bursts. */
export interface RateLimit {
  /** @throws AppError `too_many_requests` with the time until the next one is taken */
  take(tokenId: string): void;
}

interface Bucket {
  left: number;
  at: number;
}

const MOST_BUCKETS = 10_000;

export function createRateLimit({
  perSecond,
  burst,
}: {
  readonly perSecond: number;
  readonly burst: number;
}): RateLimit {
  const buckets = new Map<string, Bucket>();
  return {
    take(tokenId) {
      const now = performance.now();
      const bucket = buckets.get(tokenId) ?? { left: burst, at: now };
      bucket.left = Math.min(burst, bucket.left + ((now - bucket.at) / 1000) * perSecond);
      bucket.at = now;
      if (buckets.size > MOST_BUCKETS) buckets.clear();
      buckets.set(tokenId, bucket);
      if (bucket.left < 1)
        throw new AppError(
          'too_many_requests',
          `More than ${perSecond} requests a second came with this token; slow down.`,
          {
            retryAfterMs: ((1 - bucket.left) / perSecond) * 1000,
          },
        );
      bucket.left -= 1;
    },
  };
}
