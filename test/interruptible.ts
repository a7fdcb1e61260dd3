/** What the long-running commands of this folder (`npm run bench`, `npm run chaos`) have in common. */

/** 128 and the number of SIGINT, as shells have it. */
export const INTERRUPTED = 130;
const SECOND_SIGNAL_MS = 1_000;
const PARENT_POLL_MS = 500;

/**
 * Aborts on a signal, a closed terminal, or the end of the process that started this one, so that all that was started can
 * be taken down. A second Ctrl-C, at least a second later, ends the process at once.
 */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let firstAt: number | undefined;
  const onStop = (reason: string) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      stop.abort(new Error(`stopping: ${reason}`));
    } else if (reason === 'SIGINT' && performance.now() - firstAt > SECOND_SIGNAL_MS) {
      process.exit(INTERRUPTED);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => onStop(signal));
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const parent = process.ppid;
  setInterval(
    () => process.ppid !== parent && onStop('the process that started this one is gone'),
    PARENT_POLL_MS,
  ).unref();
  return stop.signal;
}

/** A line of progress, with the seconds since the start. */
export function say(line: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
}
