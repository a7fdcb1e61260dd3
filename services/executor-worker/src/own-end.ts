/**
 * When a worker ends by itself: after so many tasks, or after a time in which it had none.
 *
 * E1. Nothing is given back: it takes nothing new first, and ends once the last of what it has is done.
 * E2. A claim that is under way when it stops to take tasks is waited for, and what it brings is done.
 */

export interface OwnEnd extends Disposable {
  /** A task began or ended. */
  changed(): void;
  /** Resolves with the reason, once nothing runs; never where the worker is to stay. */
  readonly reached: Promise<string>;
}

export interface OwnEndOptions {
  /** After so long without a task, in milliseconds; 0: it waits for ever. */
  readonly idleMs: number;
  /** What runs now. */
  readonly runs: ReadonlySet<Promise<void>>;
  /** Whether all tasks were taken that may be. */
  readonly tookAll: () => boolean;
  /** Takes nothing more; resolves when no claim is under way. */
  readonly stopTaking: () => Promise<void>;
}

/** Watches for it; the time without a task begins now. */
export function watchOwnEnd({ idleMs, runs, tookAll, stopTaking }: OwnEndOptions): OwnEnd {
  const { promise: reached, resolve } = Promise.withResolvers<string>();
  let idle: NodeJS.Timeout | undefined;
  let reason: string | undefined;
  let disposed = false;

  async function end(why: string): Promise<void> {
    reason = why;
    clearTimeout(idle);
    await stopTaking();
    changed();
  }

  function changed(): void {
    clearTimeout(idle);
    if (disposed || runs.size > 0) return;
    if (reason !== undefined) resolve(reason);
    else if (tookAll()) void end('it has done as many tasks as it may');
    else if (idleMs > 0) idle = setTimeout(() => void end(`no task came for ${idleMs / 1_000} s`), idleMs);
  }

  changed();
  return {
    changed,
    reached,
    [Symbol.dispose]() {
      disposed = true;
      clearTimeout(idle);
    },
  };
}
