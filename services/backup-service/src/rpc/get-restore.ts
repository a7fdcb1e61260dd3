import { Restore as RestoreMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import type { GetRestoreRequest, GetRestoreResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import type { Restore } from '../restore/restore.ts';
import { toRestoreMessage } from '../restore/restore-message.ts';
import type { Dependencies } from './context.ts';
import { existingRestore } from './restore-refusals.ts';

/** One restore, with what is left of it in its target. */
export function getRestore({ restores, now }: Dependencies) {
  return async ({ id }: GetRestoreRequest, context: CallContext): Promise<GetRestoreResponse> => {
    const restore = existingRestore(await restores.get(id, context.signal), id, context);
    const toMessage = (one: Restore) => toRestoreMessage(one, now());
    return { restore: readOne('restore', restore, toMessage, RestoreMessage) };
  };
}
