import { AppError } from '@tidemark/errors/app-error';
import type {
  CancelVerificationRequest,
  CancelVerificationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toBackupMessage } from '../backup-message.ts';
import { verificationCanceled } from '../events.ts';
import { isEnded } from '../verification.ts';
import { recordVerification } from '../verification-steps.ts';
import type { Dependencies } from './context.ts';
import { existing } from './refusals.ts';

/** Records a cancel of the verification that is under way, and notifies the workers. */
export function cancelVerification({ store, verifications, publisher, dispatcher }: Dependencies) {
  return async ({ id }: CancelVerificationRequest, context: CallContext): Promise<CancelVerificationResponse> => {
    const { caller, requestId, signal } = context;
    const backup = existing(await store.get(id, signal), { id }, context);
    const applied = await verifications.apply(id, { kind: 'cancel' }, signal);
    if (!applied || applied.decision.answer === 'over')
      throw new AppError(
        'verification_over',
        `No verification of backup ${id} is under way: there is nothing to cancel.`,
        {
          info: { backupId: id, clusterId: backup.clusterId },
        },
      );
    const { decision, verification } = applied;
    if (decision.next) verificationCanceled(verification, caller, requestId);
    if (decision.announce) await publisher.announceVerification(verification);
    // The poll may be about it already, and would not be waited for.
    if (isEnded(verification)) await recordVerification(verification, { store, verifications }, signal);
    else await dispatcher.attendVerification(id);
    const [now, newest] = await Promise.all([store.get(id, signal), verifications.get(id, signal)]);
    return { backup: toBackupMessage(now ?? backup, 0, newest) };
  };
}
