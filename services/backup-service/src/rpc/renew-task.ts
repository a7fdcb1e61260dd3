import { BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { RenewTaskRequest, RenewTaskResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromEstimateMessage, fromProgressMessage, fromStallMessage, toStateMessage } from '../backup-message.ts';
import type { Dependencies } from './context.ts';
import { requireTask, standingOf } from './task-ref.ts';

/** Keeps a worker's lease, and says when the backup is being canceled. */
export function renewTask({ store }: Dependencies) {
  return async (request: RenewTaskRequest, { signal }: CallContext): Promise<RenewTaskResponse> => {
    const { id, claim, fence } = requireTask(request.task);
    const { progress, starting, stall, estimate, removing } = request;
    const applied = await store.apply(
      id,
      {
        kind: 'renew',
        claim,
        fence,
        ...(progress && { progress: fromProgressMessage(progress) }),
        ...(starting && { starting }),
        ...(estimate && { estimate: fromEstimateMessage(estimate) }),
        ...(stall && { stall: fromStallMessage(stall) }),
        ...(removing.length > 0 && { removing }),
      },
      signal,
    );
    const answer = applied?.decision.answer;
    const state = answer?.kind === 'held' ? toStateMessage(answer.state) : BackupState.BACKUP_STATE_UNSPECIFIED;
    return { standing: standingOf(applied), state };
  };
}
