/**
 * Renews a lease until it is stopped or lost.
 *
 * N1. The calls under a lease run one after the other: renewals every `renewMs`, sooner where there is something new to report
 *     (but not oftener than every `QUICKEST_MS`) or after one that was not answered, and at once where something is to be
 *     asked; others in between.
 * N2. No renewal is under way once its disposal was awaited.
 */
import { pause } from '@tidemark/service-kit/backoff';

export interface Renewal extends AsyncDisposable {
  /** There is something new to report. */
  soon(): void;
  /** There may be something new to hear. */
  now(): void;
  /** Makes another call under the same lease, when no renewal is under way. */
  inTurn<R>(call: () => Promise<R>): Promise<R>;
  /** The pause after a call that was not answered, in milliseconds. */
  readonly retryMs: number;
}

export interface RenewalOptions {
  readonly renewMs: number;
  /** One renewal; throws where it was not answered. */
  renew(): Promise<void>;
  /** Ends the renewals. */
  readonly lost: AbortSignal;
  /** A renewal was not answered; it is repeated. */
  onFailed(error: unknown): void;
}

/** Something new is reported at most this often. */
const QUICKEST_MS = 1_000;

/** Starts renewing. */
export function startRenewal({ renewMs, renew, lost, onFailed }: RenewalOptions): Renewal {
  const stop = new AbortController();
  const quickestMs = Math.min(QUICKEST_MS, renewMs / 2);
  const retryMs = Math.min(renewMs, QUICKEST_MS) / 2;
  let toTell = Promise.withResolvers<void>();
  let toAsk = Promise.withResolvers<void>();
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <R>(call: () => Promise<R>): Promise<R> => {
    const result = last.then(call);
    last = result.catch(() => undefined);
    return result;
  };
  const rest = async (ms: number, ...sooner: readonly Promise<void>[]): Promise<void> => {
    const waited = new AbortController();
    const signal = AbortSignal.any([stop.signal, waited.signal]);
    await Promise.race([pause(ms, signal), ...sooner]);
    waited.abort();
  };

  const run = async (): Promise<void> => {
    let pauseMs = renewMs;
    while (!stop.signal.aborted && !lost.aborted) {
      await rest(pauseMs, toTell.promise, toAsk.promise);
      if (stop.signal.aborted) return;
      toTell = Promise.withResolvers();
      toAsk = Promise.withResolvers();
      const startedAt = performance.now();
      try {
        await inTurn(renew);
        // Not oftener than that, however much there is to report; a cancel is not kept waiting.
        const early = quickestMs - (performance.now() - startedAt);
        await rest(Math.max(0, early), toAsk.promise);
        pauseMs = Math.max(0, renewMs - quickestMs);
      } catch (error) {
        onFailed(error);
        pauseMs = retryMs;
      }
    }
  };

  const done = run();
  return {
    soon: () => toTell.resolve(),
    now: () => toAsk.resolve(),
    inTurn,
    retryMs,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
