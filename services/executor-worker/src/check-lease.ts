/**
 * Keeps the lease of a claimed check and reports what was found so far.
 *
 * LOST is final. So is a long time without an answer: then somebody else may have the check by now.
 */
import {
  type CheckRef,
  type ExecutorServiceServer,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import type { CheckSteps } from './check-steps.ts';
import { type CheckFacts, renewalFailed } from './events.ts';
import { startRenewal } from './renewal.ts';

export interface CheckLease extends AsyncDisposable {
  /** Aborts when the check is somebody else's, or may be. */
  readonly lost: AbortSignal;
}

export interface CheckLeaseOptions {
  readonly client: ServiceClient<ExecutorServiceServer>;
  readonly check: CheckRef;
  readonly steps: CheckSteps;
  readonly facts: CheckFacts;
  readonly timing: Pick<Timing, 'renewMs' | 'callMs' | 'guardMs'>;
}

/** Starts renewing; no renewal is under way once disposal was awaited. */
export function keepCheckLease({ client, check, steps, facts, timing }: CheckLeaseOptions): CheckLease {
  const lost = new AbortController();
  let answeredAt = performance.now();
  const renewal = startRenewal({
    renewMs: timing.renewMs,
    lost: lost.signal,
    async renew() {
      const sentAt = performance.now();
      const { standing } = await client.renewCheck(
        { check, steps: [...steps.kept], totalSteps: steps.total },
        { timeoutMs: timing.callMs, requestId: facts.requestId },
      );
      if (standing === TaskStanding.TASK_STANDING_LOST) lost.abort(new Error('the check was lost'));
      answeredAt = sentAt;
    },
    onFailed(error) {
      renewalFailed(facts, error);
      if (performance.now() - answeredAt > timing.guardMs) lost.abort(new Error('the lease could not be renewed'));
    },
  });
  return { lost: lost.signal, [Symbol.asyncDispose]: () => renewal[Symbol.asyncDispose]() };
}
