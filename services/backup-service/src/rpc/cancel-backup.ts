import type {
  CancelBackupRequest,
  CancelBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

/** Records a cancel, then tells the workers. */
export function cancelBackup({ store, publisher }: Dependencies) {
  return async (
    { id, clusterId, reason }: CancelBackupRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<CancelBackupResponse> => {
    const check = validation();
    check.id('backupId', id);
    if (clusterId !== '') check.id('clusterId', clusterId);
    check.finish();
    existing(await store.get(id, signal), id, clusterId);
    const applied = await store.apply(id, { kind: 'cancel', by: caller, reason, requestId }, signal);
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.broadcast) await publisher.broadcastCancel(applied.backup);
    return { backup: toBackupMessage(applied.backup) };
  };
}
