import { MAX_OUTPUT_PIECE_BYTES, MAX_OUTPUT_SEQUENCE } from '@tidemark/limits/limits';
import {
  type ReportOutputRequest,
  type ReportOutputResponse,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { requireTask } from './task-ref.ts';

/**
 * Keeps a piece of what an attempt printed. An attempt that has ended, or was lost, may still report its last words: they
 * are evidence and change nothing.
 */
export function reportOutput({ store, restores, output, now }: Dependencies) {
  return async (request: ReportOutputRequest, { signal }: CallContext): Promise<ReportOutputResponse> => {
    const { id, claim, fence } = requireTask(request.task);
    const { sequence, offset, data } = request;
    const check = validation();
    check.require(
      sequence >= 0 && sequence <= MAX_OUTPUT_SEQUENCE,
      'sequence',
      `must be from 0 to ${MAX_OUTPUT_SEQUENCE}`,
    );
    check.require(
      data.length > 0 && data.length <= MAX_OUTPUT_PIECE_BYTES,
      'data',
      `must be 1 to ${MAX_OUTPUT_PIECE_BYTES} bytes`,
    );
    check.finish();

    const { attempts = [] } = (await store.get(id, signal)) ?? (await restores.get(id, signal)) ?? {};
    const attempt = 1 + attempts.findIndex((one) => one.claim === claim && one.fence === fence);
    if (attempt === 0) return { standing: TaskStanding.TASK_STANDING_LOST };
    await output.append(id, { attempt, sequence, offset: Number(offset), data }, now());
    return { standing: TaskStanding.TASK_STANDING_HELD };
  };
}
