import { AppError } from '@tidemark/errors/app-error';
import { sleep } from '@tidemark/service-kit/backoff';
import { log } from './logger.ts';

const PAUSE_MS = 200;

export interface Patience {
  /** From when on the call is not repeated any more, counted from now. */
  readonly forMs: number;
  /** Ends the wait for the next try, too. */
  readonly signal?: AbortSignal;
  /** For the log. */
  readonly facts: object;
}

/**
 * Repeats an idempotent call of backup-service until it is answered.
 *
 * @throws what the last try came to: after `forMs`, or where a repeat would not help
 */
export async function untilAnswered<Answer>(
  call: () => Promise<Answer>,
  { forMs, signal, facts }: Patience,
): Promise<Answer> {
  const giveUpAt = performance.now() + forMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!isWorthRepeating(error) || signal?.aborted || performance.now() >= giveUpAt) throw error;
      log.debug({ ...facts, error }, 'a call was not answered; it is repeated');
      await sleep(PAUSE_MS, signal);
    }
  }
}

/** The same for a claim; undefined where its outcome stays unknown. */
export async function claimUntilAnswered<Answer>(
  claim: () => Promise<Answer>,
  patience: Patience,
): Promise<Answer | undefined> {
  try {
    return await untilAnswered(claim, patience);
  } catch (error) {
    const level = isWorthRepeating(error) ? 'debug' : 'warn';
    log[level]({ ...patience.facts, error }, 'a claim was not answered');
    return undefined;
  }
}

function isWorthRepeating(error: unknown): boolean {
  return !(error instanceof AppError) || error.row.retryable;
}
