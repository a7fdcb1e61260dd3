import type {
  ResumeRestoreRequest,
  ResumeRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Restore } from '../restore/restore.ts';
import { toRestoreMessage } from '../restore/restore-message.ts';
import type { Dependencies } from './context.ts';
import { allowed, requireVisible } from './restore-refusals.ts';

/** Lets a restore go on that ended in the middle. */
export function resumeRestore({ restores, dispatcher, now }: Dependencies) {
  return async ({ id, hostDead }: ResumeRestoreRequest, context: CallContext): Promise<ResumeRestoreResponse> => {
    const { caller, requestId, callId, signal } = context;
    const look = (restore: Restore) => requireVisible(restore, context);
    const applied = await restores.apply(
      id,
      { kind: 'resume', by: caller, requestId, callId, ...(hostDead && { hostDead: true as const }) },
      signal,
      look,
    );
    const restore = allowed(id, applied);
    await dispatcher.ringRestore(id);
    return { restore: toRestoreMessage(restore, now()) };
  };
}
