import type {
  ReleaseVerificationRequest,
  ReleaseVerificationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromStandingMessage } from '../verification-message.ts';
import type { Dependencies } from './context.ts';
import { requireVerification, verificationStandingOf } from './verification-ref.ts';

/** Takes a verification back from a worker; the next one goes on from where it got to. */
export function releaseVerification({ verifications, dispatcher }: Dependencies) {
  return async (
    { verification, standing }: ReleaseVerificationRequest,
    { signal }: CallContext,
  ): Promise<ReleaseVerificationResponse> => {
    const { id, claim, fence } = requireVerification(verification);
    const reached = standing ? { standing: fromStandingMessage(standing) } : {};
    const command = { kind: 'release', claim, ...(fence > 0 && { fence }), ...reached } as const;
    const applied = await verifications.apply(id, command, signal);
    if (applied?.decision.next) await dispatcher.attendVerification(id);
    return { standing: verificationStandingOf(applied) };
  };
}
