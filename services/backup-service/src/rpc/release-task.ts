import type {
  ReleaseTaskRequest,
  ReleaseTaskResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';
import { requireTask, standingOf } from './task-ref.ts';

/** Takes a task back uncounted, or a report about files that a lost run left behind. */
export function releaseTask({ store, dispatcher }: Dependencies) {
  return async (request: ReleaseTaskRequest, { signal }: CallContext): Promise<ReleaseTaskResponse> => {
    const { id, claim, fence } = requireTask(request.task);
    const applied = await store.apply(
      id,
      request.strayPath === ''
        ? { kind: 'release', claim, ...(fence > 0 && { fence }) }
        : { kind: 'stray', claim, fence, path: request.strayPath },
      signal,
    );
    const standing = standingOf(applied);
    if (applied?.decision.next) await dispatcher.ring(id);
    await dispatcher.ringNext(applied);
    return { standing };
  };
}
