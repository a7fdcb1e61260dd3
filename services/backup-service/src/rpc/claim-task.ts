import { MAX_NAME } from '@tidemark/limits/limits';
import type { ClaimTaskRequest, ClaimTaskResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Backup } from '../backup.ts';
import { toRecordFields } from '../backup-message.ts';
import { rootOf } from '../backup-path.ts';
import { claimAnswered } from '../events.ts';
import { log } from '../logger.ts';
import { digestOf } from '../presence.ts';
import { toSnapshotMessage, toTargetMessage } from '../registry-message.ts';
import { placeOf } from '../storage-location.ts';
import { type Validation, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** A claim must not be guessable, nor used twice by accident. */
const SHORTEST_CLAIM = 16;
const LOOK_BACK_MS = 1_000;

/** Adds what is wrong with who claims. */
export function checkClaimant(check: Validation, { claim, worker }: { claim: string; worker: string }): void {
  check.require(
    claim.length >= SHORTEST_CLAIM && claim.length <= MAX_NAME,
    'claim',
    `must be ${SHORTEST_CLAIM} to ${MAX_NAME} characters`,
  );
  check.require(worker !== '' && worker.length <= MAX_NAME, 'worker', `must be 1 to ${MAX_NAME} characters`);
}

/** Grants a task to the first worker that asks (T3); nothing set in the answer means LOST. */
export function claimTask({ store, markers, finished, places, dispatcher }: Dependencies) {
  // It only helps to estimate: what was granted stands without it.
  const lastSizeOf = async (clusterId: string): Promise<bigint> => {
    try {
      const [last] = await finished.newestGood([clusterId], AbortSignal.timeout(LOOK_BACK_MS));
      return BigInt(last?.result?.sizeBytes ?? 0);
    } catch (error) {
      log.debug({ error, clusterId }, 'the size of the last good backup could not be looked up');
      return 0n;
    }
  };
  /** Where the files are, how to get in today, and by what that is known. */
  const storageOf = async (backup: Backup, signal: AbortSignal) => {
    const granted = await places.granted(backup, signal);
    const place = placeOf(granted, rootOf(backup.basePath));
    const number = await markers.numberAt({ storageId: granted.id, place }, signal);
    return {
      storage: toSnapshotMessage(granted),
      storageDigest: digestOf(granted),
      marker: { number, adopt: false },
    };
  };
  return async (request: ClaimTaskRequest, { signal }: CallContext): Promise<ClaimTaskResponse> => {
    const { backupId, claim, worker, pool, instance } = request;
    const check = validation();
    check.id('backupId', backupId);
    checkClaimant(check, request);
    check.finish();

    const known = instance === '' ? {} : { instance };
    const unreachable = request.outOfReach.map(({ storageDigest }) => storageDigest);
    const applied = await store.apply(backupId, { kind: 'claim', claim, worker, pool, ...known, unreachable }, signal);
    const answer = applied?.decision.answer;
    const backup = applied?.backup;
    if (backup && answer?.kind === 'backupGrant') {
      claimAnswered('backup');
      const [storage, lastSizeBytes] = await Promise.all([storageOf(backup, signal), lastSizeOf(backup.clusterId)]);
      const grant = {
        fence: BigInt(answer.fence),
        clusterId: backup.clusterId,
        path: answer.path,
        target: toTargetMessage(backup.target),
        remainingSeconds: answer.remainingMs / 1000,
        mayRun: answer.mayRun,
        attempt: answer.attempt,
        requestId: backup.request.id,
        previousEnded: answer.previousEnded,
        previousBrVersion: answer.previousBrVersion,
        failures: backup.failures,
        lastSizeBytes,
        ...storage,
        ...toRecordFields(backup),
      };
      return { grant: { $case: 'backup', value: grant } };
    }
    if (backup && answer?.kind === 'removeGrant') {
      claimAnswered('remove');
      const grant = {
        fence: BigInt(answer.fence),
        clusterId: backup.clusterId,
        paths: [...answer.paths],
        requestId: backup.deletion.requestId ?? backup.request.id,
        ...(await storageOf(backup, signal)),
      };
      return { grant: { $case: 'remove', value: grant } };
    }
    claimAnswered('lost');
    // One that ended here leaves its place in the line.
    await dispatcher.ringNext(applied);
    return { grant: undefined };
  };
}
