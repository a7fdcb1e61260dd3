import type {
  CompleteCheckRequest,
  CompleteCheckResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromStepMessages } from '../storage-check-message.ts';
import { checkStandingOf, requireCheck } from './check-ref.ts';
import type { Dependencies } from './context.ts';

/** Ends a check with what its worker found. */
export function completeCheck({ checks }: Dependencies) {
  return async (request: CompleteCheckRequest, { signal }: CallContext): Promise<CompleteCheckResponse> => {
    const { id, claim, fence } = requireCheck(request.check);
    const steps = fromStepMessages(request.steps);
    const { ok, totalSteps } = request;
    const applied = await checks.apply(id, { kind: 'complete', claim, fence, ok, steps, totalSteps }, signal);
    return { standing: checkStandingOf(applied) };
  };
}
