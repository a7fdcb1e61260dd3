import type {
  ReadRestoreLogRequest,
  ReadRestoreLogResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { isActive } from '../restore/restore.ts';
import { type Printing, readAttemptLog } from './attempt-log.ts';
import type { Dependencies } from './context.ts';
import { existingRestore } from './restore-refusals.ts';

/** What the attempts of a restore printed, one after the other; with `follow` until it has ended. */
export function readRestoreLog({ restores, output }: Dependencies) {
  return (request: ReadRestoreLogRequest, context: CallContext): AsyncGenerator<ReadRestoreLogResponse> => {
    const { id } = request;
    const { signal } = context;
    const read = async (): Promise<Printing> => {
      const restore = existingRestore(await restores.get(id, signal), id, context);
      const attempts = restore.attempts.map(({ worker, starting, outcome }) => ({
        ...{ worker, brVersion: starting?.brVersion ?? '' },
        isOver: outcome !== undefined,
      }));
      return { attempts, isActive: isActive(restore) };
    };
    return readAttemptLog(read, output, request, signal);
  };
}
