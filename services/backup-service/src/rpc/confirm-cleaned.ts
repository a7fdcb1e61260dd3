import type {
  ConfirmCleanedRequest,
  ConfirmCleanedResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Restore } from '../restore/restore.ts';
import { toRestoreMessage } from '../restore/restore-message.ts';
import type { Dependencies } from './context.ts';
import { allowed, requireVisible } from './restore-refusals.ts';

/** Says that nothing of a restore is left in its target. */
export function confirmCleaned({ restores, now }: Dependencies) {
  return async ({ id }: ConfirmCleanedRequest, context: CallContext): Promise<ConfirmCleanedResponse> => {
    const look = (restore: Restore) => requireVisible(restore, context);
    const applied = await restores.apply(id, { kind: 'cleaned' }, context.signal, look);
    return { restore: toRestoreMessage(allowed(id, applied), now()) };
  };
}
