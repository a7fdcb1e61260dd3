import {
  CheckState,
  type CheckStorageRequest,
  type CheckStorageResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toCheckMessage } from '../storage-check-message.ts';
import { acceptCheck } from './accept-check.ts';
import type { Dependencies } from './context.ts';

const PATIENCE_MS = 30_000;
const LOOK_MS = 200;

/** Lets every worker of the pool probe a storage; answers when it is done, or after 30 s with what is known then. */
export function checkStorage(dependencies: Dependencies) {
  return async (
    { storageId, pool, adopt, moved }: CheckStorageRequest,
    context: CallContext,
  ): Promise<CheckStorageResponse> => {
    const giveUpAt = performance.now() + PATIENCE_MS;
    const { checks } = dependencies;
    let whole = await acceptCheck(dependencies, { kind: 'probe', storageId, pool, adopt, moved }, context);
    context.leavePlace();
    for (;;) {
      const check = toCheckMessage(whole, await checks.parts(whole._id, context.signal));
      if (check.state === CheckState.CHECK_STATE_DONE || performance.now() >= giveUpAt) return { check };
      await sleep(LOOK_MS, context.signal);
      whole = (await checks.get(whole._id, context.signal)) ?? whole;
    }
  };
}
