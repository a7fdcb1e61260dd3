import type {
  ReportRestoreEndRequest,
  ReportRestoreEndResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromEndMessage } from '../restore/restore-message.ts';
import { recordSourceDamage } from '../restore/source-damage.ts';
import type { Dependencies } from './context.ts';
import { requireRestore } from './restore-ref.ts';

/** Takes down how the `br` of an attempt ended that was lost, or whose worker died. */
export function reportRestoreEnd({ restores, store, dispatcher }: Dependencies) {
  return async (request: ReportRestoreEndRequest, { signal }: CallContext): Promise<ReportRestoreEndResponse> => {
    const { id, claim } = requireRestore(request.restore);
    const end = fromEndMessage(request.end);
    const applied = await restores.apply(id, { kind: 'lateEnd', claim, ...(end && { end }) }, signal);
    if (applied) await recordSourceDamage(applied.restore, claim, store, signal);
    await dispatcher.ringRestore(id);
    return {};
  };
}
