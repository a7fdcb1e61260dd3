import { Restore as RestoreMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type {
  WatchRestoreRequest,
  WatchRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { isActive, type Restore } from '../restore/restore.ts';
import { toRestoreMessage } from '../restore/restore-message.ts';
import type { Dependencies } from './context.ts';
import { existingRestore } from './restore-refusals.ts';

const FOLLOW_MS = 500;

/** The restore now and after each change, until it has ended; what people do about one that ended in the middle is not waited for. */
export function watchRestore({ restores, now }: Dependencies) {
  return async function* ({ id }: WatchRestoreRequest, context: CallContext): AsyncGenerator<WatchRestoreResponse> {
    const { signal } = context;
    for (let seen = 0; ; ) {
      const restore = existingRestore(await restores.get(id, signal), id, context);
      if (restore.revision > seen) {
        seen = restore.revision;
        const toMessage = (one: Restore) => toRestoreMessage(one, now());
        yield { restore: readOne('restore', restore, toMessage, RestoreMessage) };
      }
      if (!isActive(restore)) return;
      await sleep(FOLLOW_MS, signal);
    }
  };
}
