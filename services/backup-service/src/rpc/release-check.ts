import type {
  ReleaseCheckRequest,
  ReleaseCheckResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { checkStandingOf, requireCheck } from './check-ref.ts';
import type { Dependencies } from './context.ts';

/** Takes a check back from a worker that stops; another is asked for it at once. */
export function releaseCheck({ checks, dispatcher }: Dependencies) {
  return async (request: ReleaseCheckRequest, { signal }: CallContext): Promise<ReleaseCheckResponse> => {
    const { id, claim, fence } = requireCheck(request.check);
    const applied = await checks.apply(id, { kind: 'release', claim, ...(fence > 0 && { fence }) }, signal);
    if (applied?.decision.next) await dispatcher.ringCheck(id);
    return { standing: checkStandingOf(applied) };
  };
}
