/**
 * Keeps the lease of a claimed verification, and reports how far it got.
 *
 * LOST is final. So is a long time without an answer: then another worker may be at it.
 */
import { type VerificationProgress, VerificationState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ExecutorServiceServer,
  TaskStanding,
  type VerificationRef,
  type VerificationStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { renewalFailed, type TaskFacts } from './events.ts';
import { startRenewal } from './renewal.ts';

/** What there is to report. */
export interface Reached {
  readonly standing: VerificationStanding | undefined;
  readonly progress: VerificationProgress | undefined;
}

export interface VerificationLease extends AsyncDisposable {
  /** Aborts when the verification is somebody else's, or may be. */
  readonly lost: AbortSignal;
  /** Aborts when it is being canceled. */
  readonly canceling: AbortSignal;
  /** Renews now: somebody says that it changed. */
  renewNow(): void;
}

export interface VerificationLeaseOptions {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'renewVerification'>;
  readonly verification: VerificationRef;
  /** How far it is, looked up before each renewal. */
  readonly reached: () => Promise<Reached>;
  readonly facts: TaskFacts;
  readonly timing: Pick<Timing, 'renewMs' | 'callMs' | 'guardMs'>;
}

/** Starts renewing; no renewal is under way once disposal was awaited. */
export function keepVerificationLease({
  client,
  verification,
  reached,
  facts,
  timing,
}: VerificationLeaseOptions): VerificationLease {
  const lost = new AbortController();
  const canceling = new AbortController();
  let answeredAt = performance.now();
  const renewal = startRenewal({
    renewMs: timing.renewMs,
    lost: lost.signal,
    async renew() {
      const now = await reached();
      const sentAt = performance.now();
      const { standing, state } = await client.renewVerification(
        { verification, ...now },
        { timeoutMs: timing.callMs, requestId: facts.requestId },
      );
      if (standing === TaskStanding.TASK_STANDING_LOST) lost.abort(new Error('the verification was lost'));
      if (state === VerificationState.VERIFICATION_STATE_CANCELING)
        canceling.abort(new Error('the verification is canceled'));
      answeredAt = sentAt;
    },
    onFailed(error) {
      renewalFailed(facts, error);
      if (performance.now() - answeredAt > timing.guardMs) lost.abort(new Error('the lease could not be renewed'));
    },
  });
  return {
    lost: lost.signal,
    canceling: canceling.signal,
    renewNow: renewal.now,
    [Symbol.asyncDispose]: () => renewal[Symbol.asyncDispose](),
  };
}
