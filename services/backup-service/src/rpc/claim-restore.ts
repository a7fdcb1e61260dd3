import { MAX_BR_VERSIONS } from '@tidemark/limits/limits';
import type {
  ClaimRestoreRequest,
  ClaimRestoreResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { wasSigned } from '../backup.ts';
import { rootOf } from '../backup-path.ts';
import { instantOf } from '../log/log-backup.ts';
import { toSnapshotMessage } from '../registry-message.ts';
import { EXISTING_TABLES, SOURCE_SOUND } from '../restore/plan.ts';
import { countEnds, type Restore } from '../restore/restore.ts';
import { toOptionsMessage, toSourceMessage, toTargetMessage } from '../restore/restore-message.ts';
import { placeOf } from '../storage-location.ts';
import { validation } from '../validate.ts';
import { checkClaimant } from './claim-task.ts';
import type { Dependencies } from './context.ts';

/** Grants a restore to the first worker that asks and has its `br`; nothing set in the answer means LOST. */
export function claimRestore({ restores, store, places, markers, registry }: Dependencies) {
  /** Where the files are, how to get in today, by what that is known, and what is to be asked of their manifest. */
  const sourceOf = async ({ source, plan }: Restore, signal: AbortSignal) => {
    const [backup, registered] = await Promise.all([
      store.get(source.backupId, signal),
      registry.storages.get(source.storage.id, signal),
    ]);
    const granted = backup ? await places.granted(backup, signal) : source.storage;
    const { point } = source;
    const log = point && { storage: point.storage, basePath: point.path, createTime: instantOf(source.tso) };
    const logStorage = log && toSnapshotMessage(await places.granted(log, signal));
    const place = placeOf(granted, rootOf(source.path));
    const number = await markers.numberAt({ storageId: granted.id, place }, signal);
    return {
      storage: toSnapshotMessage(granted),
      logStorage,
      marker: { number, adopt: false },
      manifestKeys: [...(registered?.manifestKeys ?? [])],
      sourceSigned: backup !== undefined && wasSigned(backup),
      unsoundAccepted: plan.acknowledged.includes(SOURCE_SOUND),
    };
  };
  return async (request: ClaimRestoreRequest, { signal }: CallContext): Promise<ClaimRestoreResponse> => {
    const { restoreId, claim, worker, pool, brVersions, replaysLogs } = request;
    const check = validation();
    check.id('restoreId', restoreId);
    checkClaimant(check, request);
    check.require(brVersions.length <= MAX_BR_VERSIONS, 'brVersions', `must be at most ${MAX_BR_VERSIONS}`);
    check.finish();
    const applied = await restores.apply(
      restoreId,
      { kind: 'claim', claim, worker, pool, brVersions, replaysLogs },
      signal,
    );
    if (applied?.decision.answer.kind !== 'grant') return { grant: undefined };
    const { fence, brVersion, argv, wasPartial, attempt, remainingMs } = applied.decision.answer;
    const { restore } = applied;
    const { source, target } = restore;
    return {
      grant: {
        fence: BigInt(fence),
        attempt,
        source: toSourceMessage(source),
        target: toTargetMessage(target),
        tls: target.tls,
        ...(await sourceOf(restore, signal)),
        options: toOptionsMessage(restore.options),
        crypterMethod: source.crypter?.method ?? '',
        crypterKeyFile: source.crypter?.keyFile ?? '',
        brVersion: brVersion ?? '',
        argv: [...(argv ?? [])],
        remainingSeconds: remainingMs / 1000,
        requestId: restore.request.id,
        wasPartial,
        existingTablesAccepted: restore.plan.acknowledged.includes(EXISTING_TABLES),
        ...countEnds(restore),
      },
    };
  };
}
