/** Commands for a shell that do what a page or a button does. Pure. */

/** What the API is asked over REST, and the verbs of the command line that ask the same. */
export interface Same {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below /api/v1, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** Behind `tidemark`, a word each. */
  readonly tidemark: readonly string[];
}

/** A word as a POSIX shell takes it for one, whatever is in it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A request as a line for a shell in which TOKEN is set. */
export function curlLine(origin: string, { method, path, body }: Same): string {
  return [
    'curl',
    ...(method === 'GET' ? [] : ['-X', method]),
    quoted(`${origin}/api/v1${path}`),
    '-H "Authorization: Bearer $TOKEN"',
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json'", '-d', quoted(JSON.stringify(body))]),
  ].join(' ');
}

export function tidemarkLine({ tidemark }: Same): string {
  return ['tidemark', ...tidemark.map(quoted)].join(' ');
}

/** A path of which each part may hold any character. */
export function pathOf(parts: readonly string[], query: URLSearchParams | undefined = undefined): string {
  const path = parts.map((part) => `/${encodeURIComponent(part)}`).join('');
  return query && query.size > 0 ? `${path}?${query}` : path;
}
