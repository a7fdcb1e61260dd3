import type {
  CheckStorageRequest,
  CheckStorageResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toCheckMessage } from '../storage-check-message.ts';
import { acceptCheck } from './accept-check.ts';
import type { Dependencies } from './context.ts';

const PATIENCE_MS = 30_000;
const LOOK_MS = 200;

/** Lets a worker probe a storage; answers when it is done, or after 30 s with what is known then. */
export function checkStorage(dependencies: Dependencies) {
  return async ({ storageId, pool }: CheckStorageRequest, context: CallContext): Promise<CheckStorageResponse> => {
    const giveUpAt = performance.now() + PATIENCE_MS;
    let check = await acceptCheck(dependencies, { kind: 'probe', storageId, pool }, context);
    while (check.state !== 'Done' && performance.now() < giveUpAt) {
      await sleep(LOOK_MS, context.signal);
      check = (await dependencies.checks.get(check._id, context.signal)) ?? check;
    }
    return { check: toCheckMessage(check) };
  };
}
