import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_WAIT_SECONDS } from '@tidemark/limits/limits';
import {
  type CompleteTaskRequest,
  type CompleteTaskResponse,
  type Failed,
  FailureClass,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromReasonMessage, fromResultMessage } from '../backup-message.ts';
import type { Outcome } from '../decide/command.ts';
import type { Dependencies } from './context.ts';
import { requireTask, standingOf } from './task-ref.ts';

const WAITING = { code: 'WAITING', message: 'The path is locked by another br and is tried again when the lock ends.' };

/** Ends a claim; what follows from it is rung for at once where its time has come. */
export function completeTask({ store, dispatcher }: Dependencies) {
  return async (request: CompleteTaskRequest, { signal }: CallContext): Promise<CompleteTaskResponse> => {
    const { id, claim, fence } = requireTask(request.task);
    const applied = await store.apply(id, { kind: 'complete', claim, fence, outcome: toOutcome(request) }, signal);
    const standing = standingOf(applied);
    if (applied?.backup.task) await dispatcher.ring(id);
    await dispatcher.ringNext(applied);
    return { standing };
  };
}

const KEY_ID = /^[0-9a-f]{64}$/;

function toOutcome({ outcome }: CompleteTaskRequest): Outcome {
  switch (outcome?.$case) {
    case 'succeeded':
      if (!outcome.value.result) throw invalidArgument([{ field: 'succeeded.result', description: 'must be set' }]);
      return {
        kind: 'succeeded',
        result: {
          ...fromResultMessage(outcome.value.result),
          ...(KEY_ID.test(outcome.value.manifestKeyId) && { manifestKeyId: outcome.value.manifestKeyId }),
        },
        ...(outcome.value.exitSeen && { exitSeen: true }),
      };
    case 'failed':
      return toFailure(outcome.value);
    case 'wait':
      return {
        kind: 'wait',
        waitMs: Math.min(Math.max(outcome.value.seconds, 1), MAX_WAIT_SECONDS) * 1000,
        reason: fromReasonMessage(outcome.value.reason, WAITING),
        ...(outcome.value.handBack && { handBack: outcome.value.handBack }),
      };
    case 'stopped':
      return { kind: 'stopped' };
    case 'removed': {
      const { paths, bytes, remark, empty } = outcome.value;
      return { kind: 'removed', paths, bytes: Number(bytes), ...(remark && { remark }), empty };
    }
    case 'removeFailed':
      return { kind: 'removeFailed', reason: fromReasonMessage(outcome.value.reason) };
    default:
      throw invalidArgument([{ field: 'outcome', description: 'must be set' }]);
  }
}

function toFailure(failed: Failed): Outcome {
  const reason = fromReasonMessage(failed.reason);
  const delay = failed.delaySeconds === undefined ? {} : { delayMs: failed.delaySeconds * 1000 };
  switch (failed.class) {
    case FailureClass.FAILURE_CLASS_PERMANENT:
      return { kind: 'failed', reason };
    case FailureClass.FAILURE_CLASS_NEW_PATH:
      return { kind: 'newPath', reason, ...delay };
    case FailureClass.FAILURE_CLASS_RETRY:
      return { kind: 'retry', reason, ...delay };
    default:
      throw invalidArgument([{ field: 'failed.class', description: 'must be set' }]);
  }
}
