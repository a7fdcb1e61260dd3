import { type handleUnaryCall, Metadata, status } from '@grpc/grpc-js';
import { AppError } from '@tidemark/errors/app-error';
import { headersFrom, traced } from '@tidemark/tracing/trace';
import type { Admission, Place } from './admission.ts';
import type { CallContext } from './call-context.ts';
import { HONORED, SIGHT } from './metadata-names.ts';
import { type CallObserver, observeCall } from './observe-call.ts';
import { toServiceError } from './status.ts';

/** A unary RPC as Tidemark writes it: a promise of the response, or a thrown `AppError`. */
export type UnaryHandler<Request, Response> = (request: Request, context: CallContext) => Promise<Response>;

/** How much earlier than the caller gives up an answer goes out, as a part of the time it had, and at most. */
const ANSWER_EARLIER = 0.1;
const ANSWER_EARLIER_AT_MOST_MS = 100;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const LATE = new AppError('deadline_exceeded', 'The answer was not there before the deadline.');

/**
 * Adapts a handler to grpc-js: what it throws becomes a status, and what it does is logged once. It begins when the
 * admission lets it, and the caller is answered a little before his deadline in any case: a caller that gives up resets
 * his stream, and Node's HTTP/2 closes a whole connection on which that happens often.
 */
export function adaptUnary<Request, Response>(
  handler: UnaryHandler<Request, Response>,
  observer: CallObserver,
  admission: Admission,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const observed = observeCall(call, observer);
    const { context } = observed;
    let place: Place | undefined;
    let answered = false;
    const answer = (respond: () => void) => {
      if (answered) return;
      answered = true;
      clearTimeout(timer);
      place?.leave();
      respond();
    };
    const fail = (thrown: unknown) => answer(() => callback(toServiceError(observed.failed(thrown))));
    const timer = atDeadline(context.timeLeftMs(), () => {
      observed.abort(LATE);
      // Without details, as grpc-js itself would say it a moment later.
      answer(() => callback({ code: status.DEADLINE_EXCEEDED, details: observed.failed(LATE).message }));
    });
    const run = async (): Promise<Response> => {
      place = await admission.enter(context.timeLeftMs, context.signal);
      const from = headersFrom((name) => call.metadata.get(name)[0]);
      return traced(observer.path.slice(1), { kind: 'SERVER', from }, () =>
        handler(call.request, { ...context, leavePlace: () => place?.leave() }),
      );
    };
    run().then((response) => {
      answer(() => {
        observed.succeeded();
        if (observer.honorsSight) call.sendMetadata(honored());
        callback(null, response);
      });
    }, fail);
  };
}

function atDeadline(timeLeftMs: number, act: () => void): NodeJS.Timeout | undefined {
  if (timeLeftMs > LONGEST_TIMER_MS) return undefined;
  const earlierMs = Math.min(ANSWER_EARLIER_AT_MOST_MS, timeLeftMs * ANSWER_EARLIER);
  return setTimeout(act, Math.max(0, timeLeftMs - earlierMs));
}

function honored(): Metadata {
  const metadata = new Metadata();
  metadata.set(SIGHT, HONORED);
  return metadata;
}
