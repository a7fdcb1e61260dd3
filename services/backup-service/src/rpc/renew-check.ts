import type {
  RenewCheckRequest,
  RenewCheckResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromStepMessages } from '../storage-check-message.ts';
import { checkStandingOf, requireCheck } from './check-ref.ts';
import type { Dependencies } from './context.ts';

/** Keeps a worker's lease on a check, and takes down what it found so far. */
export function renewCheck({ checks }: Dependencies) {
  return async (request: RenewCheckRequest, { signal }: CallContext): Promise<RenewCheckResponse> => {
    const { id, claim, fence } = requireCheck(request.check);
    const steps = fromStepMessages(request.steps);
    const { totalSteps } = request;
    return {
      standing: checkStandingOf(await checks.apply(id, { kind: 'renew', claim, fence, steps, totalSteps }, signal)),
    };
  };
}
