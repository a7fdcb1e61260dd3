import type {
  FindBackupByKeyRequest,
  FindBackupByKeyResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toBackupMessage } from '../backup-message.ts';
import type { Dependencies } from './context.ts';
import { backupId } from './start-backup.ts';

/** The backup of the cluster that this caller's key started, or nothing. */
export function findBackupByKey({ store }: Dependencies) {
  return async (request: FindBackupByKeyRequest, { caller, signal }: CallContext): Promise<FindBackupByKeyResponse> => {
    const backup = await store.get(backupId(request.key, caller), signal);
    return { backup: backup?.clusterId === request.clusterId ? toBackupMessage(backup) : undefined };
  };
}
