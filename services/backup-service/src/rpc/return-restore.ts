import type {
  ReturnRestoreRequest,
  ReturnRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { recordSourceDamage } from '../restore/source-damage.ts';
import type { Dependencies } from './context.ts';
import { requireEnd, requireRestore, restoreStandingOf } from './restore-ref.ts';

/** Takes a restore back from a worker that stops, or that never learned whether its claim was granted. */
export function returnRestore({ restores, store, dispatcher }: Dependencies) {
  return async (request: ReturnRestoreRequest, { signal }: CallContext): Promise<ReturnRestoreResponse> => {
    const { id, claim, fence } = requireRestore(request.restore);
    const end = requireEnd(request.end);
    const known = fence === 0 ? {} : { fence };
    const applied = await restores.apply(id, { kind: 'release', claim, ...known, end }, signal);
    if (applied) await recordSourceDamage(applied.restore, claim, store, signal);
    await dispatcher.ringRestore(id);
    return { standing: restoreStandingOf(id, applied) };
  };
}
