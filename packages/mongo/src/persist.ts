import { AppError } from '@tidemark/errors/app-error';
import { backoffMs, sleep } from '@tidemark/service-kit/backoff';
import { isTransient, toStoreError } from './mongo-error.ts';

const CONFLICT_BACKOFF = { baseMs: 5, maxMs: 500 };
const MOST_CONFLICTS = 50;

/**
 * Repeats what a conflict or a lost connection interrupted, for as long as the signal allows.
 *
 * @param attempt answers 'again' when somebody else was faster
 * @throws AppError `unavailable`, or `conflict` when others are always faster
 */
export async function persist<R>(signal: AbortSignal, attempt: () => Promise<R | 'again'>): Promise<R> {
  for (let tries = 1; ; tries += 1) {
    let trouble: unknown;
    try {
      signal.throwIfAborted();
      const result = await attempt();
      if (result !== 'again') return result;
    } catch (error) {
      if (error instanceof AppError || signal.aborted || !isTransient(error)) throw toStoreError(error);
      trouble = error;
    }
    if (tries >= MOST_CONFLICTS)
      throw trouble ? toStoreError(trouble) : new AppError('conflict', 'The record changes too often; try again.');
    await sleep(backoffMs(tries, CONFLICT_BACKOFF), signal).catch((error: unknown) => {
      throw toStoreError(trouble ?? error);
    });
  }
}
