import { isAbort } from './abort.ts';
import { backoffMs, sleep } from './backoff.ts';
import type { Logger } from './logging.ts';

/**
 * Work that is done again and again for as long as a process lives.
 *
 * L1. Two rounds never overlap.
 * L2. A round that throws is logged and tried again, later each time; the loop itself never ends but by being disposed.
 * L3. After disposal has been awaited, no round is under way.
 */
export interface Loop extends AsyncDisposable {
  /** When the last round that did not throw ended, on the monotonic clock (`performance.now`). */
  lastSuccess(): number | undefined;
  /** Since when every round has succeeded, on the monotonic clock; undefined while the last one failed. */
  healthySince(): number | undefined;
  /** Starts the next round at once instead of waiting for its time. */
  wake(): void;
}

export interface LoopOptions {
  readonly name: string;
  /** Pause between rounds, give or take a tenth, so that copies do not march in step. */
  readonly everyMs: number;
  readonly log: Logger;
  /** One round; answers whether there is more to do at once. */
  readonly run: (signal: AbortSignal) => Promise<boolean>;
}

/** Starts a loop; its first round begins at once. */
export function startLoop({ name, everyMs, log, run }: LoopOptions): Loop {
  const stop = new AbortController();
  let woken = Promise.withResolvers<void>();
  let lastSuccess: number | undefined;
  let healthySince: number | undefined;

  const pause = async (ms: number): Promise<void> => {
    const wait = new AbortController();
    await Promise.race([sleep(ms, AbortSignal.any([stop.signal, wait.signal])).catch(() => undefined), woken.promise]);
    wait.abort();
    woken = Promise.withResolvers();
  };

  const rounds = async (): Promise<void> => {
    for (let failures = 0; !stop.signal.aborted; ) {
      const startedAt = performance.now();
      try {
        const more = await run(stop.signal);
        failures = 0;
        lastSuccess = performance.now();
        healthySince ??= startedAt;
        if (!more) await pause(everyMs * (0.9 + 0.2 * Math.random()));
      } catch (error) {
        if (isAbort(error, stop.signal)) return;
        failures += 1;
        healthySince = undefined;
        log.warn({ error, loop: name, failures }, `${name} failed and is tried again`);
        await pause(backoffMs(failures, { baseMs: everyMs, maxMs: Math.max(everyMs, 10_000) }));
      }
    }
  };

  const done = rounds();
  return {
    lastSuccess: () => lastSuccess,
    healthySince: () => healthySince,
    wake: () => woken.resolve(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
