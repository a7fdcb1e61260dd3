import { isOutage } from '@tidemark/errors/app-error';
import { log } from '../logger.ts';
import { toError } from '../to-error.ts';

interface Facts {
  readonly requestId: string;
  readonly [name: string]: string;
}

/**
 * Logs that an answer goes out without something that can be done without. That a service could not tell of it just now is
 * ordinary where much is asked.
 */
export function leftOut(thrown: unknown, facts: Facts, sentence: string): void {
  const error = toError(thrown);
  log[isOutage(error) ? 'info' : error.row.log]({ ...facts, code: error.code, error }, sentence);
}
