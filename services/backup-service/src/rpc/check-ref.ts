import { invalidArgument } from '@tidemark/errors/app-error';
import { type CheckRef, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { AppliedToCheck } from '../storage-check-store.ts';

/** The check that a worker's call is about. @throws AppError `invalid_argument` without one */
export function requireCheck(check: CheckRef | undefined): { id: string; claim: string; fence: number } {
  if (!check) throw invalidArgument([{ field: 'check', description: 'must be set' }]);
  return { id: check.checkId, claim: check.claim, fence: Number(check.fence) };
}

/** Whether the check is still the worker's. */
export function checkStandingOf(applied: AppliedToCheck | undefined): TaskStanding {
  return applied?.decision.answer === 'held' ? TaskStanding.TASK_STANDING_HELD : TaskStanding.TASK_STANDING_LOST;
}
