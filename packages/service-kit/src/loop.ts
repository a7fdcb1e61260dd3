import { causes, isOutage } from '@tidemark/errors/app-error';
import { isAbort } from './abort.ts';
import { backoffMs, pause } from './backoff.ts';
import { type Logger, withoutPasswords } from './logging.ts';

/**
 * Work that is done again and again for as long as a process lives.
 *
 * L1. Two rounds never overlap.
 * L2. A round that throws is logged and tried again, later each time; the loop itself never ends but by being disposed.
 * L3. Health is counted anew after a gap between two rounds, whatever it came from.
 * L4. After disposal has been awaited, no round is under way.
 */
export interface Loop extends AsyncDisposable {
  /** When the last round that did not throw ended, on the monotonic clock (`performance.now`). */
  lastSuccess(): number | undefined;
  /**
   * Since when every round has succeeded in its time, on the monotonic clock. Undefined while the last one failed, or is
   * long ago: a process that was frozen knows nothing of the time between.
   */
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

/** A neighbour that is still starting is there a moment later. */
const FIRST_RETRY_MS = 250;
/** So often what a new process needs may be missing before that is worth a warning. */
const EARLY_FAILURES = 8;
/** After so many missed rounds, and this long, a loop counts as not having run. */
const STALE_ROUNDS = 10;
const SHORTEST_STALE_MS = 2_000;

/** What really happened: the sentence of an `unavailable` is for callers, and the same for all that can be missing. */
function innermost(thrown: unknown): string {
  const last = [...causes(thrown)].at(-1);
  return withoutPasswords(last instanceof Error ? last.message : String(last));
}

/** Starts a loop; its first round begins at once. */
export function startLoop({ name, everyMs, log, run }: LoopOptions): Loop {
  const stop = new AbortController();
  let woken = Promise.withResolvers<void>();
  let lastSuccess: number | undefined;
  let healthySince: number | undefined;

  const staleMs = Math.max(STALE_ROUNDS * everyMs, SHORTEST_STALE_MS);
  const isStale = () => lastSuccess === undefined || performance.now() - lastSuccess > staleMs;

  const rest = async (ms: number): Promise<void> => {
    const wait = new AbortController();
    await Promise.race([pause(ms, AbortSignal.any([stop.signal, wait.signal])), woken.promise]);
    wait.abort();
    woken = Promise.withResolvers();
  };

  const rounds = async (): Promise<void> => {
    for (let failures = 0; !stop.signal.aborted; ) {
      const startedAt = performance.now();
      try {
        const more = await run(stop.signal);
        failures = 0;
        if (isStale()) healthySince = startedAt;
        lastSuccess = performance.now();
        healthySince ??= startedAt;
        if (!more) await rest(everyMs * (0.9 + 0.2 * Math.random()));
      } catch (error) {
        if (isAbort(error, stop.signal)) return;
        failures += 1;
        healthySince = undefined;
        if (lastSuccess === undefined && failures <= EARLY_FAILURES && isOutage(error))
          log.info({ loop: name, reason: innermost(error) }, `${name} waits for what it needs`);
        else log.warn({ error, loop: name, failures }, `${name} failed and is tried again`);
        await rest(
          backoffMs(failures, { baseMs: Math.min(everyMs, FIRST_RETRY_MS), maxMs: Math.max(everyMs, 10_000) }),
        );
      }
    }
  };

  const done = rounds();
  return {
    lastSuccess: () => lastSuccess,
    healthySince: () => (isStale() ? undefined : healthySince),
    wake: () => woken.resolve(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await done;
    },
  };
}
