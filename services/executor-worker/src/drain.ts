/**
 * The wait of a stopping worker for what it has, before it gives the rest back.
 *
 * N1. It ends by itself: when nothing runs any more, when its time is over, or when somebody is in a hurry.
 * N2. It ends when backup-service was not heard of for as long as the guard of a `br` waits: nothing that runs could be reported
 *     to anybody, and another worker gets the tasks.
 * N3. It decides nothing about a task: leases, cancels and deadlines go on as always.
 */
import { pause } from '@tidemark/service-kit/backoff';

/** Why a drain ended. */
export type DrainEnd = 'nothing runs any more' | 'its time is over' | 'it was told to hurry' | 'backup-service is lost';

export interface DrainOptions {
  /** What runs; each leaves the set when it has ended. */
  readonly runs: ReadonlySet<Promise<void>>;
  readonly forMs: number;
  /** Aborts when somebody is in a hurry. */
  readonly hurry: AbortSignal;
  /** Asks backup-service for a sign of life. */
  readonly ask: () => void;
  /** When the last sign of life came, by `performance.now()`. */
  readonly heardAt: () => number | undefined;
  /** After so long without one backup-service counts as lost. */
  readonly lostMs: number;
}

const ASK_MS = 5_000;

/** Waits; never throws. */
export async function drained({ runs, forMs, hurry, ask, heardAt, lostMs }: DrainOptions): Promise<DrainEnd> {
  const startedAt = performance.now();
  const pauseMs = Math.min(ASK_MS, lostMs / 4);
  while (runs.size > 0) {
    const now = performance.now();
    const leftMs = startedAt + forMs - now;
    if (hurry.aborted) return 'it was told to hurry';
    if (leftMs <= 0) return 'its time is over';
    if (now - Math.max(startedAt, heardAt() ?? 0) > lostMs) return 'backup-service is lost';
    ask();
    await untilOne(runs, Math.min(pauseMs, leftMs), hurry);
  }
  return 'nothing runs any more';
}

/** Until one of them has ended, so much time has passed, or somebody is in a hurry. */
async function untilOne(runs: ReadonlySet<Promise<void>>, ms: number, hurry: AbortSignal): Promise<void> {
  const waited = new AbortController();
  const signal = AbortSignal.any([hurry, waited.signal]);
  await Promise.race([pause(ms, signal), ...[...runs].map((run) => run.catch(() => undefined))]);
  waited.abort();
}
