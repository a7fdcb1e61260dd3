/** Header that carries `Bearer <service token>` between processes. */
export const AUTHORIZATION = 'authorization';
/** Header that carries the id by which one request can be followed through every log. */
export const REQUEST_ID = 'x-request-id';
/** Header that names on whose behalf a call is made, for records and audit. */
export const CALLER = 'x-tidemark-caller';

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
