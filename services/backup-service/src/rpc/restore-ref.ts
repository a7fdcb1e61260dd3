import { invalidArgument } from '@tidemark/errors/app-error';
import { type RestoreRef, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { RestoreEnd } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { End } from '../restore/restore.ts';
import { fromEndMessage } from '../restore/restore-message.ts';
import type { AppliedRestore } from '../restore/restore-store.ts';
import { allowed } from './restore-refusals.ts';

/** The restore that a worker's call is about. @throws AppError `invalid_argument` without one */
export function requireRestore(ref: RestoreRef | undefined): { id: string; claim: string; fence: number } {
  if (!ref) throw invalidArgument([{ field: 'restore', description: 'must be set' }]);
  return { id: ref.restoreId, claim: ref.claim, fence: Number(ref.fence) };
}

/** The end that a worker must tell. @throws AppError `invalid_argument` without one */
export function requireEnd(message: RestoreEnd | undefined): End {
  const end = fromEndMessage(message);
  if (!end) throw invalidArgument([{ field: 'end.kind', description: 'must be set' }]);
  return end;
}

/** Whether the restore is still the worker's. @throws AppError `wrong_state` for an end that cannot be */
export function restoreStandingOf(id: string, applied: AppliedRestore | undefined): TaskStanding {
  if (!applied || applied.decision.answer.kind === 'lost') return TaskStanding.TASK_STANDING_LOST;
  allowed(id, applied);
  return TaskStanding.TASK_STANDING_HELD;
}
