import type {
  DeleteBackupRequest,
  DeleteBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

/** Records the wish to delete record and files, and rings for a worker that removes them. */
export function deleteBackup({ store, dispatcher }: Dependencies) {
  return async (
    { id, clusterId, reason }: DeleteBackupRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<DeleteBackupResponse> => {
    const check = validation();
    check.id('backupId', id);
    if (clusterId !== '') check.id('clusterId', clusterId);
    check.finish();
    existing(await store.get(id, signal), id, clusterId);
    const by = { kind: 'person', name: caller } as const;
    const applied = await store.apply(id, { kind: 'delete', by, reason, requestId }, signal);
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.ring) await dispatcher.ring(id);
    return { backup: toBackupMessage(applied.backup) };
  };
}
