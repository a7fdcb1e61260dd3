import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';

/**
 * Ends calls of a server that stops: for services of libraries, whose streams else stay open until their clients
 * go.
 *
 * @param prefix of the paths of the calls
 */
export function endOnDrain(draining: AbortSignal, prefix: string): ServerInterceptor {
  return (method, call) => {
    if (!method.path.startsWith(prefix)) return new ServerInterceptingCall(call);
    const forget = () => draining.removeEventListener('abort', end);
    const intercepted = new ServerInterceptingCall(call, {
      start: (next) => next({ onCancel: forget }),
      sendStatus(sent, next) {
        forget();
        next(sent);
      },
    });
    const end = () =>
      intercepted.sendStatus({
        code: status.UNAVAILABLE,
        details: 'This copy of the service is stopping; call again.',
      });
    draining.addEventListener('abort', end, { once: true });
    return intercepted;
  };
}
