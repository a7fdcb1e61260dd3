import type {
  CancelBackupRequest,
  CancelBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Backup } from '../backup.ts';
import { toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

const REASON_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Records a cancel, then notifies the workers. */
export function cancelBackup({ store, publisher, dispatcher }: Dependencies) {
  return async (
    { id, clusterId, reason, reasonCode }: CancelBackupRequest,
    context: CallContext,
  ): Promise<CancelBackupResponse> => {
    const { caller, requestId, signal } = context;
    const check = validation();
    check.require(
      reasonCode === '' || REASON_CODE.test(reasonCode),
      'reasonCode',
      'must be a constant such as WINDOW_CLOSED',
    );
    check.finish();
    const code = reasonCode === '' ? {} : { code: reasonCode };
    const look = (backup: Backup) => void existing(backup, { id, clusterId }, context);
    const applied = await store.apply(id, { kind: 'cancel', by: caller, reason, requestId, ...code }, signal, look);
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.broadcast) await publisher.broadcastCancel(applied.backup);
    await dispatcher.ringNext(applied);
    return { backup: toBackupMessage(applied.backup) };
  };
}
