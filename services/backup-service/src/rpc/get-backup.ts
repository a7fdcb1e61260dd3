import type { GetBackupRequest, GetBackupResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownBackup } from './refusals.ts';

/** One backup, also one that was deleted: its tombstone tells who did it and when. */
export function getBackup({ store, turns, now }: Dependencies) {
  return async ({ id }: GetBackupRequest, { signal }: CallContext): Promise<GetBackupResponse> => {
    const check = validation();
    check.id('backupId', id);
    check.finish();
    const backup = await store.get(id, signal);
    if (!backup) throw unknownBackup(id);
    const positions = await turns.positions([backup], now(), signal);
    return { backup: toBackupMessage(backup, positions.get(id)) };
  };
}
