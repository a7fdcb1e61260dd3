import type { DescService } from '@bufbuild/protobuf';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
} from '@tidemark/protocol/connect/grpc/health/v1/health';
import type { TakeStreamSlot } from './stream-slot.ts';

/**
 * The standard health service: the gateway as a whole (""), and each service that it serves. It says whether calls are
 * taken here; `/readyz` says what is missing behind it.
 */
export function healthOf(
  services: readonly DescService[],
  stopping: AbortSignal,
  takeStreamSlot: TakeStreamSlot,
): ServiceImpl<typeof Health> {
  const names = new Set(['', ...services.map(({ typeName }) => typeName)]);
  const now = () => (stopping.aborted ? Status.NOT_SERVING : Status.SERVING);
  return {
    check({ service }) {
      if (!names.has(service)) throw new ConnectError('There is no such service here.', Code.NotFound);
      return { status: now() };
    },
    async *watch({ service }, context: HandlerContext) {
      using slot = takeStreamSlot(context);
      const end = AbortSignal.any([context.signal, slot.end]);
      if (!names.has(service)) {
        yield { status: Status.SERVICE_UNKNOWN };
        await aborted(end);
        return;
      }
      yield { status: now() };
      if (stopping.aborted) return;
      await aborted(end);
      if (stopping.aborted) yield { status: now() };
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
