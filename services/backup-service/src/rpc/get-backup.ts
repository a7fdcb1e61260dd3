import { Backup as BackupMessage } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { GetBackupRequest, GetBackupResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import type { Backup } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import type { Dependencies } from './context.ts';
import { unknownBackup } from './refusals.ts';

/** One backup, also one that was deleted: its tombstone says who did it and when. */
export function getBackup({ store, slots, verifications, now }: Dependencies) {
  return async ({ id }: GetBackupRequest, { signal, sees }: CallContext): Promise<GetBackupResponse> => {
    const backup = await store.get(id, signal);
    if (!backup || !sees(backup.clusterId)) throw unknownBackup(id);
    const [positions, verification] = await Promise.all([
      slots.positions([backup], now(), signal),
      backup.verification && verifications.get(id, signal),
    ]);
    const toMessage = (one: Backup) => toBackupMessage(one, positions.get(id), verification);
    return { backup: readOne('backup', backup, toMessage, BackupMessage) };
  };
}
