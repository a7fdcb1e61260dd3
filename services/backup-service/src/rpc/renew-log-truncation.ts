import type {
  RenewLogTruncationRequest,
  RenewLogTruncationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Dependencies } from './context.ts';
import { requireLog, truncationStandingOf } from './log-ref.ts';

/** Keeps a worker's lease on what it takes out of a log. */
export function renewLogTruncation({ truncations }: Dependencies) {
  return async ({ log }: RenewLogTruncationRequest, { signal }: CallContext): Promise<RenewLogTruncationResponse> => {
    const { clusterId, claim, fence } = requireLog(log);
    return {
      standing: truncationStandingOf(await truncations.apply(clusterId, { kind: 'renew', claim, fence }, signal)),
    };
  };
}
