import { once } from 'node:events';
import type { handleServerStreamingCall } from '@grpc/grpc-js';
import type { CallContext } from './call-context.ts';
import { type CallObserver, observeCall } from './observe-call.ts';
import { toServiceError } from './status.ts';

/** A server-streaming RPC as Tidemark writes it: an async generator that ends when `context.signal` aborts. */
export type StreamHandler<Request, Response> = (request: Request, context: CallContext) => AsyncIterable<Response>;

/** Adapts a generator to grpc-js, waiting where the reader is slower than the writer. */
export function adaptStream<Request, Response>(
  handler: StreamHandler<Request, Response>,
  observer: CallObserver,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const observed = observeCall(call, observer);
    const { signal } = observed.context;
    const write = async (): Promise<void> => {
      try {
        for await (const response of handler(call.request, observed.context))
          if (!call.write(response)) await once(call, 'drain', { signal });
        observed.succeeded();
        call.end();
      } catch (thrown) {
        // Not destroy: that drops what was written already, and sends no status.
        call.emit('error', toServiceError(observed.failed(thrown)));
      }
    };
    void write();
  };
}
