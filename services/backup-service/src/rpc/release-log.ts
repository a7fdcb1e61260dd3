import type {
  ReleaseLogRequest,
  ReleaseLogResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';
import { logStandingOf, requireLog } from './log-ref.ts';

/** Takes a look back from a worker that stops; another is asked for it at once. */
export function releaseLog({ logs, dispatcher }: Dependencies) {
  return async (request: ReleaseLogRequest, { signal }: CallContext): Promise<ReleaseLogResponse> => {
    const { clusterId, claim, fence } = requireLog(request.log);
    const applied = await logs.apply(clusterId, { kind: 'release', claim, ...(fence > 0 && { fence }) }, signal);
    if (applied?.decision.next) await dispatcher.ringLog(clusterId);
    return { standing: logStandingOf(applied) };
  };
}
