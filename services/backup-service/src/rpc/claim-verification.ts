import type {
  ClaimVerificationRequest,
  ClaimVerificationResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { rootOf } from '../backup-path.ts';
import { digestOf } from '../presence.ts';
import { toSnapshotMessage } from '../registry-message.ts';
import { placeOf } from '../storage-location.ts';
import { validation } from '../validate.ts';
import { toLevelMessage, toStandingMessage } from '../verification-message.ts';
import { checkClaimant } from './claim-task.ts';
import type { Dependencies } from './context.ts';
import { unknownBackup } from './refusals.ts';

/** Grants the verification of a backup to the first worker of its pool that asks; nothing set in the answer means LOST. */
export function claimVerification({ store, verifications, places, markers, registry }: Dependencies) {
  return async (request: ClaimVerificationRequest, { signal }: CallContext): Promise<ClaimVerificationResponse> => {
    const { backupId, claim, worker, pool } = request;
    const check = validation();
    check.id('backupId', backupId);
    checkClaimant(check, request);
    check.finish();

    const applied = await verifications.apply(backupId, { kind: 'claim', claim, worker, pool }, signal);
    if (applied?.decision.answer !== 'held') return { grant: undefined };
    const backup = await store.get(backupId, signal);
    if (!backup) throw unknownBackup(backupId);
    const [storage, registered] = await Promise.all([
      places.granted(backup, signal),
      registry.storages.get(backup.storage.id, signal),
    ]);
    const place = placeOf(storage, rootOf(backup.basePath));
    const { fence, level, sample, rateLimit, standing, requestId } = applied.verification;
    const { crypterMethod = '', crypterKeyFile = '' } = backup.target.brOptions ?? {};
    return {
      grant: {
        fence: BigInt(fence),
        clusterId: backup.clusterId,
        path: backup.path,
        storage: toSnapshotMessage(storage),
        storageDigest: digestOf(storage),
        marker: { number: await markers.numberAt({ storageId: storage.id, place }, signal), adopt: false },
        requestId,
        level: toLevelMessage(level),
        sample,
        rateLimit,
        crypter: BrOptions.create({ crypterMethod, crypterKeyFile }),
        standing: standing ? toStandingMessage(standing) : undefined,
        manifestKeys: [...(registered?.manifestKeys ?? [])],
      },
    };
  };
}
