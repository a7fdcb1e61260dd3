import type {
  CompleteRestoreRequest,
  CompleteRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { recordSourceDamage } from '../restore/source-damage.ts';
import type { Dependencies } from './context.ts';
import { requireEnd, requireRestore, restoreStandingOf } from './restore-ref.ts';

/** Ends the claim of a restore; what follows from it is rung for at once where its time has come. */
export function completeRestore({ restores, store, dispatcher }: Dependencies) {
  return async (request: CompleteRestoreRequest, { signal }: CallContext): Promise<CompleteRestoreResponse> => {
    const { id, claim, fence } = requireRestore(request.restore);
    const applied = await restores.apply(id, { kind: 'complete', claim, fence, end: requireEnd(request.end) }, signal);
    if (applied) await recordSourceDamage(applied.restore, claim, store, signal);
    await dispatcher.ringRestore(id);
    return { standing: restoreStandingOf(id, applied) };
  };
}
