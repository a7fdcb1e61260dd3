import { AppError, causes } from '@tidemark/errors/app-error';
import { MAX_EMPTY_PAGES, MAX_STORE_REASON } from '@tidemark/limits/limits';
import { sleep } from '@tidemark/service-kit/backoff';
import type { RemovalFailure, StoredEntry, StoredFile } from './storage-files.ts';

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
  /** Never shown. */
  readonly secrets: readonly string[];
  /** What a person must put right, as a sentence; undefined for trouble that may pass. */
  explain(error: unknown): string | undefined;
}

const DELETIONS_AT_ONCE = 32;
const READS = 3;
const READ_PAUSE_MS = 200;

/** How requests are sent to one store. */
export function createRequests({ title, answerMs, secrets, explain }: RequestOptions): SendRequest {
  const hide = (text: string) => secrets.reduce((left, secret) => left.replaceAll(secret, '…'), text);
  const reasonOf = (error: unknown) => hide(describe(error)).slice(0, MAX_STORE_REASON);

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
      const sentence = explain(error) ?? explainCertificate(error, title);
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

/** What OpenSSL says of a certificate whose authority is not known here. */
const UNKNOWN_AUTHORITY = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];
const BAD_CERTIFICATE = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'ERR_TLS_CERT_ALTNAME_INVALID'];

function explainCertificate(error: unknown, title: string): string | undefined {
  for (const cause of causes(error)) {
    const code = String((cause as { code?: unknown }).code);
    if (UNKNOWN_AUTHORITY.includes(code))
      return `This worker does not know the authority that signed the certificate of ${title}: name its file with SSL_CERT_FILE for the worker, which br honours too, and make it known to every TiKV.`;
    if (BAD_CERTIFICATE.includes(code))
      return `The certificate of ${title} is not good (${code}): renew or correct it.`;
  }
  return undefined;
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

/** A question beside the work; undefined where the store does not answer it, whatever it says or does instead. */
export async function askAside<T>(signal: AbortSignal, question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question();
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Where a page of a list ends. */
export interface PageEnd {
  /** What the page was asked with; undefined for the first one. */
  readonly sent: string | undefined;
  /** What the next one is asked with. */
  readonly next: string;
  /** The last file of the page. */
  readonly lastFile: string | undefined;
  /** The last folder of the page. */
  readonly lastFolder?: string | undefined;
}

/**
 * Watches that the pages of one list advance, so that it has an end: call it at the end of each page but the last.
 * A file is remembered at the first, second, fourth, eighth page and so on; coming back to it is a circle.
 *
 * @returns throws AppError `storage_unusable` when the list does not advance
 */
export function watchPages(title: string): (end: PageEnd) => void {
  let pages = 0;
  let idle = 0;
  let markAt = 1;
  let mark: string | undefined;
  let folder: string | undefined;
  return ({ sent, next, lastFile, lastFolder }) => {
    pages += 1;
    const isNew = lastFile !== undefined || (lastFolder !== undefined && lastFolder !== folder);
    idle = isNew ? 0 : idle + 1;
    folder = lastFolder;
    const circles = lastFile !== undefined && lastFile === mark;
    if (next === sent || circles || idle > MAX_EMPTY_PAGES)
      throw cannotBeListed(title, 'it answers with the same page again and again');
    if (pages < markAt || lastFile === undefined) return;
    mark = lastFile;
    markAt = pages * 2;
  };
}

/** A store whose lists do not show all that is there. */
export function cannotBeListed(title: string, why: string): AppError {
  return new AppError('storage_unusable', `Files in ${title} cannot be listed: ${why}.`);
}

/**
 * Reads a file that may not be there. Whatever stands before a store answers 404 too, while the store itself is away, so
 * "not there" is believed where a list agrees; what is listed may just have been written, and is read again.
 *
 * @returns undefined when it is not there
 * @throws AppError `unavailable` when it stays listed and unreadable
 */
export async function readListed<Content>(
  { title, name, signal }: { readonly title: string; readonly name: string; readonly signal: AbortSignal },
  read: () => Promise<Content | undefined>,
  find: () => Promise<StoredFile | undefined>,
): Promise<Content | undefined> {
  for (let tries = 1; tries <= READS; tries += 1) {
    if (tries > 1) await sleep(READ_PAUSE_MS, signal);
    const content = await read();
    if (content !== undefined) return content;
    if ((await find()) === undefined) return undefined;
  }
  throw new AppError(
    'unavailable',
    `There is trouble with ${title}: ${name} is listed, and not there when it is read.`,
  );
}

/** The names of folders in a list of entries; one without a name is left out. */
export async function* namedFolders(entries: AsyncIterable<StoredEntry>): AsyncGenerator<string> {
  for await (const { name, folder } of entries) if (folder && name !== '') yield name;
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
