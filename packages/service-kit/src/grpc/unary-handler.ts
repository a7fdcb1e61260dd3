import type { handleUnaryCall } from '@grpc/grpc-js';
import type { CallContext } from './call-context.ts';
import { type CallObserver, observeCall } from './observe-call.ts';
import { toServiceError } from './status.ts';

/** A unary RPC as Tidemark writes it: a promise of the response, or a thrown `AppError`. */
export type UnaryHandler<Request, Response> = (request: Request, context: CallContext) => Promise<Response>;

/** Adapts a handler to grpc-js: what it throws becomes a status, and what it does is logged once. */
export function adaptUnary<Request, Response>(
  handler: UnaryHandler<Request, Response>,
  observer: CallObserver,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const observed = observeCall(call, observer);
    handler(call.request, observed.context).then(
      (response) => {
        observed.succeeded();
        callback(null, response);
      },
      (thrown: unknown) => callback(toServiceError(observed.failed(thrown))),
    );
  };
}
