/**
 * Keeps the lease of what is being taken out of a log.
 *
 * LOST is final. So is a long time without an answer: then another worker may be at it. The guard of its `br` gets each answered renewal.
 */
import {
  type ExecutorServiceServer,
  type LogRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { type LogFacts, renewalFailed } from '../events.ts';
import { startRenewal } from '../renewal.ts';

export interface TruncationLease extends AsyncDisposable {
  /** Aborts when it is somebody else's, or may be. */
  readonly lost: AbortSignal;
  /**
   * Renews now. Answers until when a `br` may start, by `performance.now()`.
   *
   * @throws Error where it is not answered that it is still held
   */
  confirm(): Promise<number>;
  /** From now on `keepAlive` is called for each answered renewal. */
  guardWith(keepAlive: () => void): void;
}

export interface TruncationLeaseOptions {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'renewLogTruncation'>;
  readonly ref: LogRef;
  readonly facts: LogFacts;
  readonly timing: Pick<Timing, 'renewMs' | 'callMs' | 'guardMs' | 'spawnMs'>;
}

/** Starts renewing; no renewal is under way once disposal was awaited. */
export function keepTruncationLease({ client, ref, facts, timing }: TruncationLeaseOptions): TruncationLease {
  const lost = new AbortController();
  let answeredAt = performance.now();
  let keepAlive: () => void = () => undefined;
  const renew = async (): Promise<void> => {
    const sentAt = performance.now();
    const { standing } = await client.renewLogTruncation(
      { log: ref },
      { timeoutMs: timing.callMs, requestId: facts.requestId },
    );
    if (standing === TaskStanding.TASK_STANDING_LOST) lost.abort(new Error('the truncation was lost'));
    else keepAlive();
    answeredAt = sentAt;
  };
  const renewal = startRenewal({
    renewMs: timing.renewMs,
    lost: lost.signal,
    renew,
    onFailed(error) {
      renewalFailed(facts, error);
      if (performance.now() - answeredAt > timing.guardMs) lost.abort(new Error('the lease could not be renewed'));
    },
  });
  return {
    lost: lost.signal,
    async confirm() {
      await renewal.inTurn(renew);
      lost.signal.throwIfAborted();
      return answeredAt + timing.spawnMs;
    },
    guardWith(listener) {
      keepAlive = listener;
      listener();
    },
    [Symbol.asyncDispose]: () => renewal[Symbol.asyncDispose](),
  };
}
