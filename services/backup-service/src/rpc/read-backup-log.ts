import type {
  ReadBackupLogRequest,
  ReadBackupLogResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { isActive } from '../backup.ts';
import { type Printing, readAttemptLog } from './attempt-log.ts';
import type { Dependencies } from './context.ts';
import { existing } from './refusals.ts';

/** What the attempts of a backup printed, one after the other; with `follow` for as long as more may come. */
export function readBackupLog({ store, output }: Dependencies) {
  return (request: ReadBackupLogRequest, context: CallContext): AsyncGenerator<ReadBackupLogResponse> => {
    const { id } = request;
    const { signal } = context;
    const read = async (): Promise<Printing> => {
      const backup = existing(await store.get(id, signal), { id }, context);
      const attempts = backup.attempts.map(({ worker, brVersion = '', outcome }) => ({
        ...{ worker, brVersion },
        isOver: outcome !== undefined,
      }));
      return { attempts, isActive: isActive(backup) };
    };
    return readAttemptLog(read, output, request, signal);
  };
}
