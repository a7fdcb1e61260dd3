import { toError } from '../to-error.ts';
import { toConnectError } from './connect-error.ts';

/**
 * What comes, until there is no more of it.
 *
 * @throws ConnectError of the signal's reason, as soon as it aborts; then nothing more is asked for
 */
export async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => undefined); // nobody may be waiting for it
  const end = () => reject(toConnectError(toError(signal.reason)));
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  const iterator = items[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', end);
  }
}
