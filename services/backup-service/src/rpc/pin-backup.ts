import type { PinBackupRequest, PinBackupResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { PIN } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import { pinChanged } from '../events.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

/** Keeps a good backup from being deleted, by retention or a person, until it is unpinned. */
export function pinBackup({ store }: Dependencies) {
  return async ({ id }: PinBackupRequest, { caller, requestId, signal }: CallContext): Promise<PinBackupResponse> => {
    const check = validation();
    check.id('backupId', id);
    check.finish();
    existing(await store.get(id, signal), id, '');
    const applied = await store.apply(id, { kind: 'pin', id: `${PIN}${requestId}` }, signal);
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.next) pinChanged('pin', applied.backup, caller, requestId);
    return { backup: toBackupMessage(applied.backup) };
  };
}
