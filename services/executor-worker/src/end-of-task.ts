/**
 * Tells backup-service how a claim ended. Told again and again until it is answered: a repeat is answered as the first
 * time, and an end that nobody ever hears of is found by the reaper (T5).
 */

import { AppError } from '@tidemark/errors/app-error';
import type {
  CheckRef,
  CompleteCheckRequest,
  CompleteTaskRequest,
  ExecutorServiceServer,
  TaskRef,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { backoffMs, sleep } from '@tidemark/service-kit/backoff';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { log } from './logger.ts';

export type Outcome = CompleteTaskRequest['outcome'];
/** `unanswered`: nobody could be told before the signal aborted. */
export type EndAnswer = 'held' | 'lost' | 'unanswered';

export interface EndOfTask {
  complete(task: TaskRef, outcome: Outcome, requestId: string): Promise<EndAnswer>;
  release(task: TaskRef, requestId: string): Promise<EndAnswer>;
  /** Reports a path into which a lost run wrote. */
  stray(task: TaskRef, path: string, requestId: string): Promise<EndAnswer>;
}

/** The same for checks of storages. */
export interface EndOfCheck {
  completeCheck(end: CompleteCheckRequest, requestId: string): Promise<EndAnswer>;
  releaseCheck(check: CheckRef, requestId: string): Promise<EndAnswer>;
}

const BACKOFF = { baseMs: 200, maxMs: 5_000 };

/** @param giveUp when this process cannot wait any longer */
export function createEndOfTask(
  client: ServiceClient<ExecutorServiceServer>,
  { callMs, giveUp }: { readonly callMs: number; readonly giveUp: AbortSignal },
): EndOfTask & EndOfCheck {
  const told = async (call: () => Promise<{ standing: TaskStanding }>, facts: object): Promise<EndAnswer> => {
    for (let tries = 1; !giveUp.aborted; tries += 1) {
      try {
        const { standing } = await call();
        return standing === TaskStanding.TASK_STANDING_HELD ? 'held' : 'lost';
      } catch (error) {
        if (
          error instanceof AppError &&
          !error.row.retryable &&
          error.code !== 'canceled' &&
          error.code !== 'internal'
        ) {
          log.error({ ...facts, error }, 'the end of a task was refused');
          return 'lost';
        }
        log.warn({ ...facts, error, tries }, 'the end of a task was not answered; it is told again');
        await sleep(backoffMs(tries, BACKOFF), giveUp).catch(() => undefined);
      }
    }
    return 'unanswered';
  };
  return {
    complete: (task, outcome, requestId) =>
      told(() => client.completeTask({ task, outcome }, { timeoutMs: callMs, requestId }), {
        backupId: task.backupId,
        requestId,
      }),
    release: (task, requestId) =>
      told(() => client.releaseTask({ task, strayPath: '' }, { timeoutMs: callMs, requestId }), {
        backupId: task.backupId,
        requestId,
      }),
    completeCheck: (end, requestId) =>
      told(() => client.completeCheck(end, { timeoutMs: callMs, requestId }), {
        checkId: end.check?.checkId,
        requestId,
      }),
    releaseCheck: (check, requestId) =>
      told(() => client.releaseCheck({ check }, { timeoutMs: callMs, requestId }), {
        checkId: check.checkId,
        requestId,
      }),
    stray: (task, path, requestId) =>
      told(() => client.releaseTask({ task, strayPath: path }, { timeoutMs: callMs, requestId }), {
        backupId: task.backupId,
        requestId,
      }),
  };
}
