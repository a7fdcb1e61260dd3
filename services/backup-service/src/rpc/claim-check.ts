import type {
  ClaimCheckRequest,
  ClaimCheckResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toSnapshotMessage } from '../registry-message.ts';
import { toKindMessage } from '../storage-check-message.ts';
import { validation } from '../validate.ts';
import { checkClaimant } from './claim-task.ts';
import type { Dependencies } from './context.ts';

/** Grants a check to the first worker of its pool that asks; nothing set in the answer means LOST. */
export function claimCheck({ checks }: Dependencies) {
  return async (request: ClaimCheckRequest, { signal }: CallContext): Promise<ClaimCheckResponse> => {
    const { checkId, claim, worker, pool } = request;
    const validated = validation();
    validated.id('checkId', checkId);
    checkClaimant(validated, request);
    validated.finish();

    const applied = await checks.apply(checkId, { kind: 'claim', claim, worker, pool }, signal);
    if (applied?.decision.answer !== 'held') return { grant: undefined };
    const { fence, kind, storage, requestId } = applied.check;
    return {
      grant: {
        fence: BigInt(fence),
        kind: toKindMessage(kind),
        storage: { ...toSnapshotMessage(storage), root: storage.root },
        requestId,
      },
    };
  };
}
