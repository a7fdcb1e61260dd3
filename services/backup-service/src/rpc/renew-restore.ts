import type {
  RenewRestoreRequest,
  RenewRestoreResponse,
  RestoreStarting,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { RestoreState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fromProgressMessage } from '../backup-message.ts';
import { fromCollectionMessage, toRestoreStateMessage } from '../restore/restore-message.ts';
import type { Dependencies } from './context.ts';
import { requireRestore, restoreStandingOf } from './restore-ref.ts';

/** Keeps a worker's lease; says whether `br` may be started, and when the restore is being canceled. */
export function renewRestore({ restores }: Dependencies) {
  return async (request: RenewRestoreRequest, { signal }: CallContext): Promise<RenewRestoreResponse> => {
    const { id, claim, fence } = requireRestore(request.restore);
    const { progress, starting } = request;
    const applied = await restores.apply(
      id,
      {
        kind: 'renew',
        claim,
        fence,
        ...(progress && { progress: fromProgressMessage(progress) }),
        ...(starting && { starting: fromStartingMessage(starting) }),
      },
      signal,
    );
    const answer = applied?.decision.answer;
    const isHeld = answer?.kind === 'held';
    return {
      standing: restoreStandingOf(id, applied),
      state: isHeld ? toRestoreStateMessage(answer.state) : RestoreState.RESTORE_STATE_UNSPECIFIED,
      mayStart: isHeld && answer.mayStart,
    };
  };
}

function fromStartingMessage({ brVersion, host, hasCheckpoint, argv, collection }: RestoreStarting) {
  return {
    ...{ brVersion, host, hasCheckpoint, argv },
    ...(collection && { collection: fromCollectionMessage(collection) }),
  };
}
