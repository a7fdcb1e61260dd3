/**
 * Keeps the lease of one claimed task.
 *
 * K1. Renewals and announcements run one after the other (renewal.ts).
 * K2. Each answered renewal is passed on to the guard; without them the guard ends `br` (design, "Leases").
 * K3. LOST is final: `lost` aborts, and nothing is written under this claim any more (T4).
 * K4. `br` may start only after an answered `starting`, and no later than `spawnMs` after it was sent (T9).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BackupState, type Estimate, type Progress } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ExecutorServiceServer,
  type RenewTaskResponse,
  type Stall,
  type Starting,
  type TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { renewalFailed, type TaskFacts } from './events.ts';
import { type Renewal, startRenewal } from './renewal.ts';

export interface Lease extends AsyncDisposable {
  /** Aborts when the task is somebody else's. */
  readonly lost: AbortSignal;
  /** Aborts when the backup is being canceled. */
  readonly canceling: AbortSignal;
  /** Reported with the next renewal, which is soon. */
  report(progress: Progress): void;
  /** What `br` waits for, reported with each renewal from the next on, which is soon; undefined: it goes on. */
  waitsFor(stall: (() => Stall) | undefined): void;
  /** How far `br` may be, reported with each renewal from the next on, which is soon; undefined: that is known. */
  estimates(estimate: Estimate | undefined): void;
  /** Renews now: somebody says that the backup changed. */
  renewNow(): void;
  /**
   * Announces the start of `br`. Answers until when it may start, by `performance.now()`; undefined: it may not. Gives up
   * when `spawnMs` have passed.
   */
  announce(starting: Starting): Promise<number | undefined>;
  /**
   * Announces that files of these paths are about to be removed; nothing of them may be before that is answered.
   *
   * @throws the reason of the signal, or Error when the task was lost
   */
  announceRemoval(paths: readonly string[], signal: AbortSignal): Promise<void>;
  /** From now on `keepAlive` is called for each answered renewal. */
  guardWith(keepAlive: () => void): void;
}

export interface LeaseOptions {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'renewTask'>;
  readonly task: TaskRef;
  readonly facts: TaskFacts;
  readonly timing: Pick<Timing, 'renewMs' | 'callMs' | 'spawnMs'>;
}

interface Announcement {
  readonly starting?: Starting;
  readonly removing?: readonly string[];
}

class LostError extends Error {}

/** Starts renewing. */
export function keepLease({ client, task, facts, timing }: LeaseOptions): Lease {
  const lost = new AbortController();
  const canceling = new AbortController();
  let progress: Progress | undefined;
  let stall: (() => Stall) | undefined;
  let estimate: Estimate | undefined;
  let keepAlive: () => void = () => undefined;

  const renew = async ({ starting, removing = [] }: Announcement = {}): Promise<RenewTaskResponse> => {
    const sent = progress;
    progress = undefined;
    try {
      const answer = await client.renewTask(
        { task, progress: sent, starting, stall: stall?.(), estimate, removing: [...removing] },
        { timeoutMs: timing.callMs, requestId: facts.requestId },
      );
      if (answer.standing === TaskStanding.TASK_STANDING_LOST) lost.abort(new Error('the task was lost'));
      else keepAlive();
      if (answer.state === BackupState.BACKUP_STATE_CANCELING) canceling.abort(new Error('the backup is canceled'));
      return answer;
    } catch (error) {
      progress ??= sent;
      throw error;
    }
  };
  const renewal = startRenewal({
    renewMs: timing.renewMs,
    renew: async () => void (await renew()),
    lost: lost.signal,
    onFailed: (error) => renewalFailed(facts, error),
  });

  return {
    lost: lost.signal,
    canceling: canceling.signal,
    report(next) {
      progress = next;
      renewal.soon();
    },
    waitsFor(next) {
      if (stall === next) return;
      stall = next;
      renewal.soon();
    },
    estimates(next) {
      if (estimate === next) return;
      estimate = next;
      renewal.soon();
    },
    renewNow: renewal.now,
    announce: (starting) =>
      announceStart(renewal, {
        spawnMs: timing.spawnMs,
        async announce() {
          const { standing, state } = await renew({ starting });
          return standing === TaskStanding.TASK_STANDING_HELD && state === BackupState.BACKUP_STATE_RUNNING;
        },
        onFailed: (error) => renewalFailed(facts, error),
      }),
    async announceRemoval(removing, signal) {
      for (;;) {
        signal.throwIfAborted();
        try {
          const { standing } = await renewal.inTurn(() => renew({ removing }));
          if (standing === TaskStanding.TASK_STANDING_HELD) return;
          throw new LostError('the task was lost');
        } catch (error) {
          if (error instanceof LostError) throw error;
          renewalFailed(facts, error);
          await delay(renewal.retryMs, undefined, { signal });
        }
      }
    },
    guardWith(listener) {
      keepAlive = listener;
      listener();
    },
    [Symbol.asyncDispose]: () => renewal[Symbol.asyncDispose](),
  };
}

export interface StartAnnouncement {
  /** How long after it was sent `br` may start. */
  readonly spawnMs: number;
  /** Answers whether `br` may be started. */
  announce(): Promise<boolean>;
  /** It was not answered; it is repeated. */
  onFailed(error: unknown): void;
}

/** K4: announces a start until it is answered, as `Lease` says. */
export async function announceStart(
  renewal: Pick<Renewal, 'inTurn' | 'retryMs'>,
  { spawnMs, announce, onFailed }: StartAnnouncement,
): Promise<number | undefined> {
  const sentFrom = performance.now();
  while (performance.now() - sentFrom < spawnMs) {
    // The time runs from this call, not from its answer: what comes later may be about another lease.
    const sentAt = performance.now();
    try {
      const mayStart = await renewal.inTurn(announce);
      const startBy = sentAt + spawnMs;
      return mayStart && performance.now() < startBy ? startBy : undefined;
    } catch (error) {
      onFailed(error);
      await delay(renewal.retryMs);
    }
  }
  return undefined;
}
