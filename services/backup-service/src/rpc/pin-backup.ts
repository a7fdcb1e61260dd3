import type { PinBackupRequest, PinBackupResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { type Backup, PIN } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import { pinChanged } from '../events.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

/** Keeps a good backup from being deleted, by retention or a person, until it is unpinned. */
export function pinBackup({ store }: Dependencies) {
  return async ({ id }: PinBackupRequest, context: CallContext): Promise<PinBackupResponse> => {
    const { caller, requestId, signal } = context;
    const look = (backup: Backup) => void existing(backup, { id }, context);
    const applied = await store.apply(id, { kind: 'pin', id: `${PIN}${requestId}` }, signal, look);
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.next) pinChanged('pin', applied.backup, caller, requestId);
    return { backup: toBackupMessage(applied.backup) };
  };
}
