import type {
  ReleaseLogTruncationRequest,
  ReleaseLogTruncationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';
import { requireLog, truncationStandingOf } from './log-ref.ts';

/** Takes a truncation back from a worker that stops; another is asked for it at once. */
export function releaseLogTruncation({ truncations, dispatcher }: Dependencies) {
  return async (
    { log }: ReleaseLogTruncationRequest,
    { signal }: CallContext,
  ): Promise<ReleaseLogTruncationResponse> => {
    const { clusterId, claim, fence } = requireLog(log);
    const applied = await truncations.apply(clusterId, { kind: 'release', claim, ...(fence > 0 && { fence }) }, signal);
    if (applied?.decision.next) await dispatcher.ringTruncation(clusterId);
    return { standing: truncationStandingOf(applied) };
  };
}
