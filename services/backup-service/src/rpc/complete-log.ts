import type {
  CompleteLogRequest,
  CompleteLogResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromReasonMessage } from '../backup-message.ts';
import { fromResultMessage } from '../log/log-message.ts';
import type { Dependencies } from './context.ts';
import { logStandingOf, requireLog } from './log-ref.ts';

/** Ends an act; the cluster is looked at again at once. */
export function completeLog({ logs, dispatcher }: Dependencies) {
  return async (request: CompleteLogRequest, { signal }: CallContext): Promise<CompleteLogResponse> => {
    const { clusterId, claim, fence } = requireLog(request.log);
    const result = fromResultMessage(request.result);
    const reason = request.reason && { reason: fromReasonMessage(request.reason) };
    const applied = await logs.apply(clusterId, { kind: 'complete', claim, fence, result, ...reason }, signal);
    await dispatcher.ringLog(clusterId);
    return { standing: logStandingOf(applied) };
  };
}
