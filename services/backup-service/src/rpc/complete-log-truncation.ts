import type {
  CompleteLogTruncationRequest,
  CompleteLogTruncationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromReasonMessage } from '../backup-message.ts';
import type { Dependencies } from './context.ts';
import { requireLog, truncationStandingOf } from './log-ref.ts';

/** Ends what a worker takes out of a log: its files are gone, or it is tried again later. */
export function completeLogTruncation({ truncations }: Dependencies) {
  return async (
    { log, trouble }: CompleteLogTruncationRequest,
    { signal }: CallContext,
  ): Promise<CompleteLogTruncationResponse> => {
    const { clusterId, claim, fence } = requireLog(log);
    const end = trouble
      ? ({ kind: 'failed', reason: fromReasonMessage(trouble) } as const)
      : ({ kind: 'done' } as const);
    return { standing: truncationStandingOf(await truncations.apply(clusterId, { ...end, claim, fence }, signal)) };
  };
}
