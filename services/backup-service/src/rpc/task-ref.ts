import { invalidArgument } from '@tidemark/errors/app-error';
import { type TaskRef, TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Applied } from '../backup-store.ts';
import { throwRefusal } from './refusals.ts';

/** The task that a worker's call is about. @throws AppError `invalid_argument` without one */
export function requireTask(task: TaskRef | undefined): { id: string; claim: string; fence: number } {
  if (!task) throw invalidArgument([{ field: 'task', description: 'must be set' }]);
  return { id: task.backupId, claim: task.claim, fence: Number(task.fence) };
}

/** Whether the task is still the worker's. @throws AppError `wrong_state` for an end that cannot be */
export function standingOf(applied: Applied | undefined): TaskStanding {
  if (!applied || applied.decision.answer.kind === 'lost') return TaskStanding.TASK_STANDING_LOST;
  throwRefusal(applied);
  return TaskStanding.TASK_STANDING_HELD;
}
