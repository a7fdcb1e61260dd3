import { VerificationState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  RenewVerificationRequest,
  RenewVerificationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromProgressMessage, fromStandingMessage, toVerificationState } from '../verification-message.ts';
import type { Dependencies } from './context.ts';
import { requireVerification, verificationStandingOf } from './verification-ref.ts';

/** Keeps a worker's lease on a verification, and takes down how far it got. */
export function renewVerification({ verifications }: Dependencies) {
  return async (
    { verification, standing, progress }: RenewVerificationRequest,
    { signal }: CallContext,
  ): Promise<RenewVerificationResponse> => {
    const { id, claim, fence } = requireVerification(verification);
    const applied = await verifications.apply(
      id,
      {
        kind: 'renew',
        claim,
        fence,
        ...(standing && { standing: fromStandingMessage(standing) }),
        ...(progress && { progress: fromProgressMessage(progress) }),
      },
      signal,
    );
    const { state } = applied?.verification ?? {};
    return {
      standing: verificationStandingOf(applied),
      state: state ? toVerificationState(state) : VerificationState.VERIFICATION_STATE_UNSPECIFIED,
    };
  };
}
