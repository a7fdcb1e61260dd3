import { AppError } from '@tidemark/errors/app-error';
import { sleep } from '@tidemark/service-kit/backoff';
import { log } from './logger.ts';

const PAUSE_MS = 200;

/**
 * Repeats a claim until it is answered; undefined when nobody answered for `claimMs`, or its record is
 * damaged, so that its outcome is unknown.
 */
export async function untilAnswered<Answer>(
  claim: () => Promise<Answer>,
  claimMs: number,
  facts: object,
): Promise<Answer | undefined> {
  const giveUpAt = performance.now() + claimMs;
  while (performance.now() < giveUpAt) {
    try {
      return await claim();
    } catch (error) {
      if (error instanceof AppError && error.code === 'internal') {
        log.warn({ ...facts, error }, 'a claim was refused by a bug; it is not repeated');
        return undefined;
      }
      log.debug({ ...facts, error }, 'a claim was not answered; it is repeated');
      await sleep(PAUSE_MS);
    }
  }
  return undefined;
}
