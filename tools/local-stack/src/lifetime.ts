/** A signal for everything that a resource does: aborted by its caller until it has started, and by its own end. */
export interface Lifetime {
  readonly signal: AbortSignal;
  /** From now on `given` is not listened to: a time limit meant for the start must not end what comes later. */
  settled(): void;
  /** The resource ends. */
  end(reason: Error): void;
}

/** A lifetime that starts under the caller's signal. */
export function lifetime(given: AbortSignal | undefined): Lifetime {
  const controller = new AbortController();
  const onAbort = () => controller.abort(given?.reason);
  if (given?.aborted) onAbort();
  given?.addEventListener('abort', onAbort, { once: true });
  const settled = () => given?.removeEventListener('abort', onAbort);
  return {
    signal: controller.signal,
    settled,
    end(reason) {
      settled();
      controller.abort(reason);
    },
  };
}
