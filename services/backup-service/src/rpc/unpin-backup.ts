import type {
  UnpinBackupRequest,
  UnpinBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Backup } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import { pinChanged } from '../events.ts';
import type { Dependencies } from './context.ts';
import { existing, unknownBackup } from './refusals.ts';

/** Takes every pin off a backup; one without a pin is fine. */
export function unpinBackup({ store }: Dependencies) {
  return async ({ id }: UnpinBackupRequest, context: CallContext): Promise<UnpinBackupResponse> => {
    const { caller, requestId, signal } = context;
    const look = (backup: Backup) => void existing(backup, { id }, context);
    const applied = await store.apply(id, { kind: 'unpin' }, signal, look);
    if (!applied) throw unknownBackup(id);
    if (applied.decision.next) pinChanged('unpin', applied.backup, caller, requestId);
    return { backup: toBackupMessage(applied.backup) };
  };
}
