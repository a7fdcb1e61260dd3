import { invalidArgument } from '@tidemark/errors/app-error';
import { type LogRef, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { AppliedToLog } from '../log/log-store.ts';
import type { AppliedTruncation } from '../log/truncation-store.ts';

/** The look that a worker's call is about. @throws AppError `invalid_argument` without one */
export function requireLog(log: LogRef | undefined): { clusterId: string; claim: string; fence: number } {
  if (!log) throw invalidArgument([{ field: 'log', description: 'must be set' }]);
  return { clusterId: log.clusterId, claim: log.claim, fence: Number(log.fence) };
}

/** Whether the look is still the worker's. */
export function logStandingOf(applied: AppliedToLog | undefined): TaskStanding {
  return applied?.decision.answer.kind === 'held' ? TaskStanding.TASK_STANDING_HELD : TaskStanding.TASK_STANDING_LOST;
}

/** The same of what is being taken out of a log. */
export function truncationStandingOf(applied: AppliedTruncation | undefined): TaskStanding {
  return applied?.decision.answer.kind === 'held' ? TaskStanding.TASK_STANDING_HELD : TaskStanding.TASK_STANDING_LOST;
}
