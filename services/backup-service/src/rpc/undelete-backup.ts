import type {
  UndeleteBackupRequest,
  UndeleteBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Backup } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import { backupUndeleted } from '../events.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

/** Takes a deleted backup out of the bin; one that nobody deletes is fine. */
export function undeleteBackup({ store }: Dependencies) {
  return async ({ id }: UndeleteBackupRequest, context: CallContext): Promise<UndeleteBackupResponse> => {
    const { caller, requestId, signal } = context;
    const look = (backup: Backup) => void existing(backup, { id }, context);
    const applied = await store.apply(id, { kind: 'undelete', requestId }, signal, look);
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.next) backupUndeleted(applied.backup, caller, requestId);
    return { backup: toBackupMessage(applied.backup) };
  };
}
