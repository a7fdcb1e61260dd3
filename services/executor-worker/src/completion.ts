/**
 * Reports to backup-service how a claim ended, until that is answered: a repeat is answered as the first time, and an end of
 * which no report arrives is found by the reaper (T5).
 */

import { AppError } from '@tidemark/errors/app-error';
import type {
  CheckRef,
  CompleteCheckRequest,
  CompleteLogRequest,
  CompleteLogTruncationRequest,
  CompleteTaskRequest,
  CompleteVerificationRequest,
  ExecutorServiceServer,
  LogRef,
  RestoreRef,
  TaskRef,
  VerificationRef,
  VerificationStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { RestoreEnd } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { backoffMs, pause } from '@tidemark/service-kit/backoff';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { log } from './logger.ts';

export type Outcome = CompleteTaskRequest['outcome'];
/** `unanswered`: the signal aborted first. */
export type CompletionAnswer = 'held' | 'lost' | 'unanswered';

export interface TaskCompletion {
  complete(task: TaskRef, outcome: Outcome, requestId: string): Promise<CompletionAnswer>;
  release(task: TaskRef, requestId: string): Promise<CompletionAnswer>;
  /** Reports a path into which a lost run wrote. */
  stray(task: TaskRef, path: string, requestId: string): Promise<CompletionAnswer>;
}

/** The same for checks of storages. */
export interface CheckCompletion {
  completeCheck(end: CompleteCheckRequest, requestId: string): Promise<CompletionAnswer>;
  releaseCheck(check: CheckRef, requestId: string): Promise<CompletionAnswer>;
}

/** The same for looks at log backups, and for what is taken out of logs. */
export interface LogCompletion {
  completeTruncation(end: CompleteLogTruncationRequest, requestId: string): Promise<CompletionAnswer>;
  releaseTruncation(ref: LogRef, requestId: string): Promise<CompletionAnswer>;
  completeLog(end: CompleteLogRequest, requestId: string): Promise<CompletionAnswer>;
  releaseLog(ref: LogRef, requestId: string): Promise<CompletionAnswer>;
}

/** The same for verifications. */
export interface VerificationCompletion {
  completeVerification(
    verification: VerificationRef,
    outcome: CompleteVerificationRequest['outcome'],
    requestId: string,
  ): Promise<CompletionAnswer>;
  releaseVerification(
    verification: VerificationRef,
    standing: VerificationStanding | undefined,
    requestId: string,
  ): Promise<CompletionAnswer>;
}

/** The same for restores. */
export interface RestoreCompletion {
  completeRestore(restore: RestoreRef, end: RestoreEnd, requestId: string): Promise<CompletionAnswer>;
  returnRestore(restore: RestoreRef, end: RestoreEnd, requestId: string): Promise<CompletionAnswer>;
  /**
   * Reports how an attempt ended that was lost, or whose worker died; without an end where nobody knows. Answers whether that was
   * written down.
   */
  reportRestoreEnd(restore: RestoreRef, end: RestoreEnd | undefined): Promise<boolean>;
}

const BACKOFF = { baseMs: 200, maxMs: 5_000 };

/** @param giveUp when this process cannot wait any longer */
export function createCompletion(
  client: ServiceClient<ExecutorServiceServer>,
  { callMs, giveUp }: { readonly callMs: number; readonly giveUp: AbortSignal },
): TaskCompletion & CheckCompletion & LogCompletion & VerificationCompletion & RestoreCompletion {
  const answered = async (
    call: () => Promise<{ standing: TaskStanding }>,
    facts: object,
  ): Promise<CompletionAnswer> => {
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
        log.warn({ ...facts, error, tries }, 'the end of a task was not answered; it is repeated');
        await pause(backoffMs(tries, BACKOFF), giveUp);
      }
    }
    return 'unanswered';
  };
  return {
    complete: (task, outcome, requestId) =>
      answered(() => client.completeTask({ task, outcome }, { timeoutMs: callMs, requestId }), {
        backupId: task.backupId,
        requestId,
      }),
    release: (task, requestId) =>
      answered(() => client.releaseTask({ task, strayPath: '' }, { timeoutMs: callMs, requestId }), {
        backupId: task.backupId,
        requestId,
      }),
    completeCheck: (end, requestId) =>
      answered(() => client.completeCheck(end, { timeoutMs: callMs, requestId }), {
        checkId: end.check?.checkId,
        requestId,
      }),
    releaseCheck: (check, requestId) =>
      answered(() => client.releaseCheck({ check }, { timeoutMs: callMs, requestId }), {
        checkId: check.checkId,
        requestId,
      }),
    completeLog: (end, requestId) =>
      answered(() => client.completeLog(end, { timeoutMs: callMs, requestId }), {
        clusterId: end.log?.clusterId,
        requestId,
      }),
    releaseLog: (ref, requestId) =>
      answered(() => client.releaseLog({ log: ref }, { timeoutMs: callMs, requestId }), {
        clusterId: ref.clusterId,
        requestId,
      }),
    completeTruncation: (end, requestId) =>
      answered(() => client.completeLogTruncation(end, { timeoutMs: callMs, requestId }), {
        clusterId: end.log?.clusterId,
        requestId,
      }),
    releaseTruncation: (ref, requestId) =>
      answered(() => client.releaseLogTruncation({ log: ref }, { timeoutMs: callMs, requestId }), {
        clusterId: ref.clusterId,
        requestId,
      }),
    completeVerification: (verification, outcome, requestId) =>
      answered(() => client.completeVerification({ verification, outcome }, { timeoutMs: callMs, requestId }), {
        backupId: verification.backupId,
        requestId,
      }),
    releaseVerification: (verification, standing, requestId) =>
      answered(() => client.releaseVerification({ verification, standing }, { timeoutMs: callMs, requestId }), {
        backupId: verification.backupId,
        requestId,
      }),
    completeRestore: (restore, end, requestId) =>
      answered(() => client.completeRestore({ restore, end }, { timeoutMs: callMs, requestId }), {
        restoreId: restore.restoreId,
        requestId,
      }),
    returnRestore: (restore, end, requestId) =>
      answered(() => client.returnRestore({ restore, end }, { timeoutMs: callMs, requestId }), {
        restoreId: restore.restoreId,
        requestId,
      }),
    async reportRestoreEnd(restore, end) {
      const report = async () => {
        await client.reportRestoreEnd({ restore, end }, { timeoutMs: callMs });
        return { standing: TaskStanding.TASK_STANDING_HELD };
      };
      return (await answered(report, { restoreId: restore.restoreId })) === 'held';
    },
    stray: (task, path, requestId) =>
      answered(() => client.releaseTask({ task, strayPath: path }, { timeoutMs: callMs, requestId }), {
        backupId: task.backupId,
        requestId,
      }),
  };
}
