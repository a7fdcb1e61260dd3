import type {
  ClaimCheckRequest,
  ClaimCheckResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toSnapshotMessage } from '../registry-message.ts';
import { toKindMessage } from '../storage-check-message.ts';
import { placeOf } from '../storage-location.ts';
import { validation } from '../validate.ts';
import { checkClaimant } from './claim-task.ts';
import type { Dependencies } from './context.ts';

/** Grants a check to the first worker of its pool that asks; nothing set in the answer means LOST. */
export function claimCheck({ checks, markers }: Dependencies) {
  return async (request: ClaimCheckRequest, { signal }: CallContext): Promise<ClaimCheckResponse> => {
    const { checkId, claim, worker, pool, instance } = request;
    const validated = validation();
    validated.id('checkId', checkId);
    checkClaimant(validated, request);
    validated.finish();

    const known = instance === '' ? {} : { instance };
    const applied = await checks.apply(checkId, { kind: 'claim', claim, worker, pool, ...known }, signal);
    if (applied?.decision.answer !== 'held') return { grant: undefined };
    const { fence, kind, storage, storageId, adopt, moved, requestId, part } = applied.check;
    if (kind === 'probe' && !part && instance !== '') await checks.withdrawPart(checkId, instance, signal);
    const number = await markers.numberAt({ storageId, place: placeOf(storage, storage.root) }, signal);
    return {
      grant: {
        fence: BigInt(fence),
        kind: toKindMessage(kind),
        storage: { ...toSnapshotMessage(storage), root: storage.root },
        requestId,
        marker: { number, adopt: adopt !== undefined },
        move: moved && {
          places: moved.places.map(({ place, root, number, good }) => ({ place, root, number, backups: [...good] })),
        },
      },
    };
  };
}
