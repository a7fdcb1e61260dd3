import type {
  CancelRestoreRequest,
  CancelRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Restore } from '../restore/restore.ts';
import { toRestoreMessage } from '../restore/restore-message.ts';
import type { Dependencies } from './context.ts';
import { allowed, requireVisible } from './restore-refusals.ts';

/** Records a cancel, then notifies the workers. */
export function cancelRestore({ restores, publisher, dispatcher, now }: Dependencies) {
  return async ({ id, reason }: CancelRestoreRequest, context: CallContext): Promise<CancelRestoreResponse> => {
    const { caller, requestId, callId, signal } = context;
    const look = (restore: Restore) => requireVisible(restore, context);
    const applied = await restores.apply(id, { kind: 'cancel', by: caller, reason, requestId, callId }, signal, look);
    const restore = allowed(id, applied);
    if (applied?.decision.broadcast) await publisher.broadcastCancelOfRestore(restore, requestId);
    await dispatcher.ringRestore(id);
    return { restore: toRestoreMessage(restore, now()) };
  };
}
