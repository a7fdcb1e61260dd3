import type { ClaimTaskRequest, ClaimTaskResponse } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toRecordFields } from '../backup-message.ts';
import { claimAnswered } from '../events.ts';
import { toSnapshotMessage, toTargetMessage } from '../registry-message.ts';
import { type Validation, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** A claim must not be guessable, nor used twice by accident. */
const SHORTEST_CLAIM = 16;
const LONGEST = 128;

/** Adds what is wrong with who claims. */
export function checkClaimant(check: Validation, { claim, worker }: { claim: string; worker: string }): void {
  check.require(claim.length >= SHORTEST_CLAIM && claim.length <= LONGEST, 'claim', 'must be 16 to 128 characters');
  check.require(worker !== '' && worker.length <= LONGEST, 'worker', 'must be 1 to 128 characters');
}

/** Grants a task to the first worker that asks (T3); nothing set in the answer means LOST. */
export function claimTask({ store }: Dependencies) {
  return async (request: ClaimTaskRequest, { signal }: CallContext): Promise<ClaimTaskResponse> => {
    const { backupId, claim, worker, pool } = request;
    const check = validation();
    check.id('backupId', backupId);
    checkClaimant(check, request);
    check.finish();

    const applied = await store.apply(backupId, { kind: 'claim', claim, worker, pool }, signal);
    const answer = applied?.decision.answer;
    const backup = applied?.backup;
    if (backup && answer?.kind === 'backupGrant') {
      claimAnswered('backup');
      const grant = {
        fence: BigInt(answer.fence),
        clusterId: backup.clusterId,
        path: answer.path,
        target: toTargetMessage(backup.target),
        storage: toSnapshotMessage(backup.storage),
        remainingSeconds: answer.remainingMs / 1000,
        mayRun: answer.mayRun,
        attempt: answer.attempt,
        requestId: backup.request.id,
        previousEnded: answer.previousEnded,
        previousBrVersion: answer.previousBrVersion,
        ...toRecordFields(backup),
      };
      return { grant: { $case: 'backup', value: grant } };
    }
    if (backup && answer?.kind === 'removeGrant') {
      claimAnswered('remove');
      const grant = {
        fence: BigInt(answer.fence),
        clusterId: backup.clusterId,
        storage: toSnapshotMessage(backup.storage),
        paths: [...answer.paths],
        requestId: backup.deletion.requestId ?? backup.request.id,
      };
      return { grant: { $case: 'remove', value: grant } };
    }
    claimAnswered('lost');
    return { grant: undefined };
  };
}
