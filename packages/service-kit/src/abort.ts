/** Whether `error` is nothing but the abort of `signal`, however it was wrapped. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause === signal.reason || cause.name === 'AbortError') return true;
  return error === signal.reason;
}

/** Ends the timers of signals that nobody holds any more. */
const timers = new FinalizationRegistry<NodeJS.Timeout>((timer) => clearTimeout(timer));

/** A signal that aborts with any of `signals` or after `ms`, and keeps no process alive. */
export function withTimeout(ms: number, ...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  // Node.js 26 keeps what `any` makes of a signal of `AbortSignal.timeout` until its time is over, though nobody holds it.
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new DOMException(`It took longer than ${ms} ms.`, 'TimeoutError')), ms);
  timer.unref();
  const any = AbortSignal.any([late.signal, ...signals.filter((signal) => signal !== undefined)]);
  timers.register(any, timer);
  return any;
}

/**
 * A question that is asked beside another one. Where the other fails nobody hears the answer, and that this one failed, too,
 * must not end the process.
 */
export function askedAhead<T>(answer: Promise<T>): Promise<T> {
  answer.catch(() => undefined);
  return answer;
}

/** Waits for `promise`, but no longer than `signal` lasts: for work that cannot be aborted itself. */
export async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // Where the signal is first, nobody else hears how the work ends.
  void askedAhead(promise);
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
