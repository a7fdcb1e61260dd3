import { MAX_REQUEST_ID, MAX_SIGHT_BYTES } from '@tidemark/limits/limits';

/** Header that carries `Bearer <service token>` between processes. */
export const AUTHORIZATION = 'authorization';
/** Header that carries the id by which one request can be followed through every log. */
export const REQUEST_ID = 'x-request-id';
/** Header that names one call between processes: each of its repeats carries the same one, and no other call does. */
export const CALL_ID = 'x-tidemark-call-id';
const SANE_ID = new RegExp(`^[A-Za-z0-9._:-]{1,${MAX_REQUEST_ID}}$`);

/** Whether what a peer calls a request or a call may stand in logs and records. */
export function isRequestId(text: string | undefined): text is string {
  return text !== undefined && SANE_ID.test(text);
}

/** Header that names on whose behalf a call is made, for records and audit. */
export const CALLER = 'x-tidemark-caller';

/**
 * Header that says which clusters the caller sees: `*` for all, or their ids with commas. It only ever narrows, so that nobody
 * learns more by leaving it out than the service token and the certificates let him ask anyway. An answer with it, `honored`,
 * says that the service looks at it.
 */
export const SIGHT = 'x-tidemark-sight';
export const HONORED = 'honored';
/** A caller's clusters as the header `SIGHT` carries them; nothing where they are too many. */
export function encodeSight(clusters: readonly string[]): string | undefined {
  const text = clusters.includes('*') ? '*' : clusters.join(',');
  return text.length > MAX_SIGHT_BYTES ? undefined : text;
}

/** Whether a caller with that header sees a cluster; without it, as a process of Tidemark for itself, it sees all. */
export function decodeSight(text: string | undefined): (clusterId: string) => boolean {
  if (text === undefined || text === '*') return () => true;
  const seen = new Set(text.split(','));
  return (clusterId) => seen.has(clusterId);
}

/** A name as the header `CALLER` carries it: metadata takes printable ASCII, and people are called Jürgen. */
export function encodeCaller(name: string): string {
  return name.toWellFormed().replaceAll(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent);
}

/** The name that `encodeCaller` was given; what it never wrote stays as it is. */
export function decodeCaller(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
