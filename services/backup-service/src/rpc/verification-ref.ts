import { invalidArgument } from '@tidemark/errors/app-error';
import { TaskStanding, type VerificationRef } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { AppliedToVerification } from '../verification-store.ts';

/** The verification that a worker's call is about. @throws AppError `invalid_argument` without one */
export function requireVerification(ref: VerificationRef | undefined): { id: string; claim: string; fence: number } {
  if (!ref) throw invalidArgument([{ field: 'verification', description: 'must be set' }]);
  return { id: ref.backupId, claim: ref.claim, fence: Number(ref.fence) };
}

/** Whether the verification is still the worker's. */
export function verificationStandingOf(applied: AppliedToVerification | undefined): TaskStanding {
  return applied?.decision.answer === 'held' ? TaskStanding.TASK_STANDING_HELD : TaskStanding.TASK_STANDING_LOST;
}
