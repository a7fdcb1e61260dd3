import { AppError } from '@tidemark/errors/app-error';
import { gauge } from '@tidemark/service-kit/metrics';
import type { Limits } from './limits.ts';
import { refused } from './refused.ts';

export type StreamLimits = Pick<Limits, 'streams' | 'streamsPerToken' | 'streamMs' | 'heartbeatMs'>;

/** How many streams there are, of each token and in all. */
export interface StreamSlots {
  readonly limits: StreamLimits;
  /**
   * @returns gives the place back
   * @throws AppError `too_many_requests` when this token has too many streams, `unavailable` when all together have
   */
  enter(tokenId: string): () => void;
}

const RETRY_MS = 5_000;
const streamsNow = gauge('tidemark_http_streams', 'Streams of events and logs that are open.');

export function createStreamSlots(limits: StreamLimits): StreamSlots {
  const open = new Map<string, number>();
  let total = 0;
  return {
    limits,
    enter(tokenId) {
      const own = open.get(tokenId) ?? 0;
      if (own >= limits.streamsPerToken) {
        refused.inc({ reason: 'streams of one token' });
        throw new AppError(
          'too_many_requests',
          `This token has ${own} streams open, which is as many as it may have; close one.`,
          { retryAfterMs: RETRY_MS },
        );
      }
      if (total >= limits.streams) {
        refused.inc({ reason: 'streams' });
        throw new AppError('unavailable', 'The gateway has as many streams open as it can; try again shortly.', {
          retryAfterMs: RETRY_MS,
        });
      }
      open.set(tokenId, own + 1);
      total += 1;
      streamsNow.set(total);
      return () => {
        const left = (open.get(tokenId) ?? 1) - 1;
        if (left > 0) open.set(tokenId, left);
        else open.delete(tokenId);
        total -= 1;
        streamsNow.set(total);
      };
    },
  };
}
