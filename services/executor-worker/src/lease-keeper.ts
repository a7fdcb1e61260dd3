/**
 * Keeps the lease of one claimed task.
 *
 * K1. Renewals run one after the other, every `renewMs`, sooner where there is something new to tell (but not oftener than
 *     every `QUICKEST_MS`) or after one that was not answered, and at once where there is something to be told.
 * K2. Each answered renewal is passed on to the guard; without them the guard ends `br` (design, "Leases").
 * K3. LOST is final: `lost` aborts, and nothing is written under this claim any more (T4).
 * K4. `br` may start only after an answered `starting`, and no later than `spawnMs` after it was sent (T9).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BackupState, type Progress } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ExecutorServiceServer,
  type RenewTaskResponse,
  type Starting,
  type TaskRef,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Timing } from '@tidemark/service-kit/timing';
import { renewalFailed, type TaskFacts } from './events.ts';

export interface Lease extends AsyncDisposable {
  /** Aborts when the task is somebody else's. */
  readonly lost: AbortSignal;
  /** Aborts when the backup is being canceled. */
  readonly canceling: AbortSignal;
  /** Told with the next renewal, which is soon. */
  report(progress: Progress): void;
  /** Renews now: somebody says that the backup changed. */
  renewNow(): void;
  /**
   * Announces the start of `br`. Answers until when it may start, by `performance.now()`; undefined: it may not. Gives up
   * when `spawnMs` have passed.
   */
  announce(starting: Starting): Promise<number | undefined>;
  /** From now on `keepAlive` is told of each answered renewal. */
  guardWith(keepAlive: () => void): void;
}

export interface LeaseOptions {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'renewTask'>;
  readonly task: TaskRef;
  readonly facts: TaskFacts;
  readonly timing: Pick<Timing, 'renewMs' | 'callMs' | 'spawnMs'>;
}

/** Progress is told at most this often. */
const QUICKEST_MS = 1_000;

/** Starts renewing. */
export function keepLease({ client, task, facts, timing }: LeaseOptions): Lease {
  const lost = new AbortController();
  const canceling = new AbortController();
  const stop = new AbortController();
  const quickestMs = Math.min(QUICKEST_MS, timing.renewMs / 2);
  let progress: Progress | undefined;
  let keepAlive: () => void = () => undefined;
  let toTell = Promise.withResolvers<void>();
  let toAsk = Promise.withResolvers<void>();
  let last: Promise<unknown> = Promise.resolve();

  const renew = async (starting?: Starting): Promise<RenewTaskResponse> => {
    const told = progress;
    progress = undefined;
    try {
      const answer = await client.renewTask(
        { task, progress: told, starting },
        { timeoutMs: timing.callMs, requestId: facts.requestId },
      );
      if (answer.standing === TaskStanding.TASK_STANDING_LOST) lost.abort(new Error('the task was lost'));
      else keepAlive();
      if (answer.state === BackupState.BACKUP_STATE_CANCELING) canceling.abort(new Error('the backup is canceled'));
      return answer;
    } catch (error) {
      progress ??= told;
      throw error;
    }
  };
  const oneByOne = <R>(act: () => Promise<R>): Promise<R> => {
    const result = last.then(act);
    last = result.catch(() => undefined);
    return result;
  };
  const pause = async (ms: number, ...sooner: readonly Promise<void>[]): Promise<void> => {
    const waited = new AbortController();
    const signal = AbortSignal.any([stop.signal, waited.signal]);
    await Promise.race([delay(ms, undefined, { signal }).catch(() => undefined), ...sooner]);
    waited.abort();
  };

  const run = async (): Promise<void> => {
    let pauseMs = timing.renewMs;
    while (!stop.signal.aborted && !lost.signal.aborted) {
      await pause(pauseMs, toTell.promise, toAsk.promise);
      if (stop.signal.aborted) return;
      toTell = Promise.withResolvers();
      toAsk = Promise.withResolvers();
      const startedAt = performance.now();
      try {
        await oneByOne(() => renew());
        pauseMs = timing.renewMs;
        // Not oftener than that, however much there is to tell; a cancel is not kept waiting.
        const early = quickestMs - (performance.now() - startedAt);
        await pause(Math.max(0, early), toAsk.promise);
        pauseMs = Math.max(0, pauseMs - quickestMs);
      } catch (error) {
        renewalFailed(facts, error);
        pauseMs = Math.min(timing.renewMs, QUICKEST_MS) / 2;
      }
    }
  };

  const done = run();
  return {
    lost: lost.signal,
    canceling: canceling.signal,
    report(next) {
      progress = next;
      toTell.resolve();
    },
    renewNow: () => toAsk.resolve(),
    async announce(starting) {
      const sentFrom = performance.now();
      while (performance.now() - sentFrom < timing.spawnMs) {
        // The time runs from this call, not from its answer: what comes later may be about another lease.
        const sentAt = performance.now();
        try {
          const { standing, state } = await oneByOne(() => renew(starting));
          const runs = standing === TaskStanding.TASK_STANDING_HELD && state === BackupState.BACKUP_STATE_RUNNING;
          const startBy = sentAt + timing.spawnMs;
          return runs && performance.now() < startBy ? startBy : undefined;
        } catch (error) {
          renewalFailed(facts, error);
          await delay(Math.min(timing.renewMs, QUICKEST_MS) / 2);
        }
      }
      return undefined;
    },
    guardWith(listener) {
      keepAlive = listener;
      listener();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
