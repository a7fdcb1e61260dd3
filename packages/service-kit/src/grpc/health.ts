import { status } from '@grpc/grpc-js';
import {
  type HealthCheckResponse,
  type HealthServer,
  HealthCheckResponse_ServingStatus as Status,
} from '@tidemark/protocol/grpc/grpc/health/v1/health';

/**
 * The standard health service: the process as a whole (""), and each service that it serves. It says whether calls are
 * taken here; `/readyz` says what is missing behind it.
 */
export function healthOf(services: readonly string[], stopping: AbortSignal): HealthServer {
  const names = new Set(['', ...services]);
  const stateOf = (name: string): HealthCheckResponse => {
    if (!names.has(name)) return { status: Status.SERVICE_UNKNOWN };
    return { status: stopping.aborted ? Status.NOT_SERVING : Status.SERVING };
  };
  return {
    check({ request: { service } }, callback) {
      if (names.has(service)) callback(null, stateOf(service));
      else callback({ code: status.NOT_FOUND, details: 'There is no such service here.' });
    },
    watch(call) {
      const { service } = call.request;
      const tellTheEnd = () => {
        if (names.has(service)) call.write(stateOf(service));
        call.end();
      };
      call.write(stateOf(service));
      if (stopping.aborted) call.end();
      else stopping.addEventListener('abort', tellTheEnd, { once: true });
      call.on('close', () => stopping.removeEventListener('abort', tellTheEnd));
    },
  };
}
