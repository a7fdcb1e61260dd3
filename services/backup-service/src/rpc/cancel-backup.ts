import type {
  CancelBackupRequest,
  CancelBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toBackupMessage } from '../backup-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { existing, throwRefusal, unknownBackup } from './refusals.ts';

const REASON_CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Records a cancel, then tells the workers. */
export function cancelBackup({ store, publisher, dispatcher }: Dependencies) {
  return async (
    { id, clusterId, reason, reasonCode }: CancelBackupRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<CancelBackupResponse> => {
    const check = validation();
    check.id('backupId', id);
    if (clusterId !== '') check.id('clusterId', clusterId);
    check.require(
      reasonCode === '' || REASON_CODE.test(reasonCode),
      'reasonCode',
      'must be a constant such as WINDOW_CLOSED',
    );
    check.finish();
    existing(await store.get(id, signal), id, clusterId);
    const code = reasonCode === '' ? {} : { code: reasonCode };
    const applied = await store.apply(id, { kind: 'cancel', by: caller, reason, requestId, ...code }, signal);
    if (!applied) throw unknownBackup(id);
    throwRefusal(applied);
    if (applied.decision.broadcast) await publisher.broadcastCancel(applied.backup);
    await dispatcher.ringNext(applied);
    return { backup: toBackupMessage(applied.backup) };
  };
}
