import type {
  ReleaseRestoreRequest,
  ReleaseRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Restore } from '../restore/restore.ts';
import { toRestoreMessage } from '../restore/restore-message.ts';
import type { Dependencies } from './context.ts';
import { allowed, requireVisible } from './restore-refusals.ts';

/** Frees the target of a restore that ended in the middle. */
export function releaseRestore({ restores, dispatcher, now }: Dependencies) {
  return async (
    { id, targetCleaned, note, hostDead }: ReleaseRestoreRequest,
    context: CallContext,
  ): Promise<ReleaseRestoreResponse> => {
    const { caller, requestId, callId, signal } = context;
    const look = (restore: Restore) => requireVisible(restore, context);
    const applied = await restores.apply(
      id,
      {
        kind: 'releaseTarget',
        by: caller,
        requestId,
        callId,
        note,
        how: targetCleaned ? 'cleaned' : 'asIs',
        ...(hostDead && { hostDead: true as const }),
      },
      signal,
      look,
    );
    const restore = allowed(id, applied);
    await dispatcher.ringRestore(id);
    return { restore: toRestoreMessage(restore, now()) };
  };
}
