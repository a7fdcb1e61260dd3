import { addAbortSignal, type Readable } from 'node:stream';
import { AppError } from '@tidemark/errors/app-error';
import type { RemovalFailure } from './storage-files.ts';

/**
 * Sends requests to an object store, each with an end: one that nothing is heard of fails, also where the vendor's
 * library would wait on. `act` calls `alive` each time that it hears something.
 *
 * @throws the reason of an aborted signal, else AppError `storage_unusable` or `unavailable`, without secrets
 */
export type SendRequest = <T>(
  signal: AbortSignal,
  act: (signal: AbortSignal, alive: () => void) => Promise<T>,
) => Promise<T>;

export interface RequestOptions {
  /** How sentences call the store, such as `the bucket b`. */
  readonly title: string;
  /** Without a sign of life for this long a request has failed. */
  readonly answerMs: number;
  /** Never told. */
  readonly secrets: readonly string[];
  /** What a person must put right, as a sentence; undefined for trouble that may pass. */
  explain(error: unknown): string | undefined;
}

const LONGEST_REASON = 300;
const DELETIONS_AT_ONCE = 32;

/** How requests are sent to one store. */
export function createRequests({ title, answerMs, secrets, explain }: RequestOptions): SendRequest {
  const hide = (text: string) => secrets.reduce((left, secret) => left.replaceAll(secret, '…'), text);
  const reasonOf = (error: unknown) => hide(describe(error)).slice(0, LONGEST_REASON);

  return async (signal, act) => {
    signal.throwIfAborted();
    const ending = new AbortController();
    const ended = Promise.withResolvers<never>();
    // Who still listens when `act` is done hears of it; nobody else must.
    ended.promise.catch(() => undefined);
    const end = (reason: unknown) => {
      ended.reject(reason);
      ending.abort(reason);
    };
    const silence = () =>
      end(new AppError('unavailable', `Nothing was heard of ${title} for ${answerMs / 1000} s; it is tried again.`));
    const onAbort = () => end(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(silence, answerMs);
    try {
      return await Promise.race([act(ending.signal, () => timer.refresh()), ended.promise]);
    } catch (error) {
      if (ending.signal.aborted) throw ending.signal.reason;
      if (error instanceof AppError) throw error;
      const sentence = explain(error);
      // The vendor's error itself may hold a request with its signature, so only its words are kept.
      const cause = new Error(reasonOf(error));
      if (sentence !== undefined) throw new AppError('storage_unusable', hide(sentence), { cause });
      throw new AppError('unavailable', `There is trouble with ${title}: ${cause.message}`, { cause });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  };
}

/**
 * Removes names one by one, several at a time.
 *
 * @param removeOne why the file is still there, or undefined
 */
export async function removeEach(
  names: readonly string[],
  removeOne: (name: string) => Promise<string | undefined>,
): Promise<readonly RemovalFailure[]> {
  const failures: RemovalFailure[] = [];
  let next = 0;
  const work = async () => {
    while (next < names.length) {
      const name = names[next++] ?? '';
      try {
        const why = await removeOne(name);
        if (why !== undefined) failures.push({ name, why });
      } catch (error) {
        next = names.length; // nobody goes on when one is in trouble
        throw error;
      }
    }
  };
  for (const result of await Promise.allSettled(Array.from({ length: DELETIONS_AT_ONCE }, work)))
    if (result.status === 'rejected') throw result.reason;
  return failures;
}

/** Reads a stream to its end, telling after each piece that it goes on; an aborted signal destroys it. */
export async function collect(stream: Readable, signal: AbortSignal, alive: () => void): Promise<Buffer> {
  const read: Uint8Array[] = [];
  for await (const piece of addAbortSignal(signal, stream)) {
    alive();
    read.push(piece as Uint8Array);
  }
  return Buffer.concat(read);
}

/** The folder of a location in front of names: empty, or ending with a slash. */
export function prefixOf(folder: string): string {
  const trimmed = folder.replace(/^\/+|\/+$/g, '');
  return trimmed === '' ? '' : `${trimmed}/`;
}

/** What an error says, with its name or code in front where the text does not hold it. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  // A connection that was refused by all addresses of a host says so only inside.
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  const said = error.message || (inner instanceof Error ? inner.message : '');
  const name = typeof code === 'string' ? code : error.name;
  const [line = ''] = said.split('\n');
  return line.includes(name) ? line : `${name}: ${line}`;
}
