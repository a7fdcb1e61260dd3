/**
 * What a service has just refused because of overload is refused here, for a moment, without asking it again. Turning a
 * crowd away one by one would cost the service the time in which it could do the work of those who wait in its queue.
 *
 * O1. The rest is much shorter than the queue of a service that refuses, so that the queue never runs dry meanwhile.
 * O2. A rest ends by itself. The first call after it is passed on, and only a new refusal begins another.
 * O3. A call that had less time than services usually get says nothing of others: it alone is refused.
 * O4. Those turned away are told to come back over as long as it takes to serve them all, as far as the last second tells.
 */

import type { Transport } from '@connectrpc/connect';
import { AppError } from '@tidemark/errors/app-error';
import { countRecent } from '@tidemark/service-kit/count-recent';
import { retryAfterOverload } from '@tidemark/service-kit/retry-after';
import { refused } from './edge/refused.ts';
import { toError } from './to-error.ts';

const REST_MS = 100;
const COUNTED_MS = 1_000;
/** With less than this part of the usual time a call may be refused where another one is not. */
const USUAL_PART = 0.7;

export interface RestOptions {
  /** Of the service, for the log. */
  readonly name: string;
  /** How long calls may usually take, in milliseconds. */
  readonly usualMs: number;
}

/** The same transport, which rests for a moment after each refusal that a service gave because of overload. */
export function restAfterOverload(transport: Transport, { name, usualMs }: RestOptions): Transport {
  const answered = countRecent(COUNTED_MS);
  const turnedAway = countRecent(COUNTED_MS);
  let restUntil = 0;
  let said = '';

  function refusal(message: string, why: string): AppError {
    refused.inc({ reason: 'overload' });
    return new AppError('overloaded', message, {
      cause: `${name} ${why}`,
      retryAfterMs: retryAfterOverload(turnedAway.add(), Math.max(1, answered.recent())),
    });
  }

  return {
    async unary(...call) {
      if (performance.now() < restUntil) throw refusal(said, 'is left alone for a moment after a refusal');
      try {
        const response = await transport.unary(...call);
        answered.add();
        return response;
      } catch (error) {
        const { code, message } = toError(error);
        if (code !== 'overloaded') throw error;
        const [, , timeoutMs = usualMs] = call;
        if (timeoutMs >= usualMs * USUAL_PART) {
          restUntil = performance.now() + REST_MS;
          said = message;
        }
        throw refusal(message, 'refused the call');
      }
    },
    stream: transport.stream,
  };
}
