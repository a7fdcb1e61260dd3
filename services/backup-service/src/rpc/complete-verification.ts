import { invalidArgument } from '@tidemark/errors/app-error';
import type {
  CompleteVerificationRequest,
  CompleteVerificationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromOutcomeMessage } from '../verification-message.ts';
import type { Dependencies } from './context.ts';
import { requireVerification, verificationStandingOf } from './verification-ref.ts';

/** Ends a worker's claim on a verification, and has the outcome taken down where it has one. */
export function completeVerification({ verifications, dispatcher }: Dependencies) {
  return async (
    request: CompleteVerificationRequest,
    { signal }: CallContext,
  ): Promise<CompleteVerificationResponse> => {
    const { id, claim, fence } = requireVerification(request.verification);
    const outcome = fromOutcomeMessage(request.outcome);
    if (!outcome) throw invalidArgument([{ field: 'outcome', description: 'must be one that is known' }]);
    const applied = await verifications.apply(id, { kind: 'complete', claim, fence, outcome }, signal);
    if (applied?.decision.next) await dispatcher.attendVerification(id);
    return { standing: verificationStandingOf(applied) };
  };
}
