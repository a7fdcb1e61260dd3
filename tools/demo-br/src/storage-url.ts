import { resolve } from 'node:path';
import type { GivenFlags } from './arguments.ts';
import { textFlag } from './arguments.ts';
import { BrError, invalidStorage } from './br-error.ts';

/** Parameters of an object store by their query names: small letters, with `-`. */
export type StorageParameters = ReadonlyMap<string, string>;

/** What a storage URL means, with its query and the flags that say the same. */
export type StorageTarget =
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'noop' }
  | ObjectStoreTarget;

/** A place in a bucket, which Azure calls a container. */
export interface ObjectStoreTarget {
  readonly kind: 's3' | 'gcs' | 'azure';
  readonly bucket: string;
  /** Without a slash at either end; may be empty. */
  readonly prefix: string;
  readonly parameters: StorageParameters;
}

const OBJECT_STORES: Readonly<Record<string, { kind: 's3' | 'gcs' | 'azure'; flags: string }>> = {
  s3: { kind: 's3', flags: 's3.' },
  ks3: { kind: 's3', flags: 's3.' },
  gcs: { kind: 'gcs', flags: 'gcs.' },
  gs: { kind: 'gcs', flags: 'gcs.' },
  azure: { kind: 'azure', flags: 'azblob.' },
  azblob: { kind: 'azure', flags: 'azblob.' },
};

/**
 * Reads a storage URL by the rules of br-contract 2.1 and 2.2. A query parameter wins over the flag of the same name.
 *
 * @param flags of the command line; `--s3.endpoint` and the like count
 * @throws BrError in the words of `br` if it is empty, cannot be parsed or is of an unknown scheme
 */
export function parseStorage(url: string, flags: GivenFlags = new Map()): StorageTarget {
  if (url === '') throw invalidStorage('empty store is not allowed');
  const [, given, rest = url] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(url) ?? [];
  const scheme = given?.toLowerCase() ?? 'local';
  const [, beforeQuery = '', query = ''] = /^([^?#]*)(?:\?([^#]*))?/s.exec(rest) ?? [];
  // Between `local://` and the path there may be a host, which BR ignores.
  const path = given === undefined ? beforeQuery : beforeQuery.replace(/^[^/]*/, '');
  if (scheme === 'noop') return { kind: 'noop' };
  if (scheme === 'local' || scheme === 'file') return { kind: 'local', path: resolve(decoded(path, url)) };

  const store = OBJECT_STORES[scheme];
  if (store === undefined) throw invalidStorage(`storage ${scheme} not support yet`);
  const [bucket = ''] = beforeQuery.split('/');
  if (bucket === '') throw invalidStorage(`please specify the bucket for ${scheme} in ${url.replace(/\?.*$/s, '')}`);
  return {
    kind: store.kind,
    bucket,
    prefix: decoded(path, url).replace(/^\/+|\/+$/g, ''),
    parameters: new Map([...flagParameters(flags, store.flags), ...queryParameters(query)]),
  };
}

function flagParameters(flags: GivenFlags, start: string): Array<[string, string]> {
  return [...flags.keys()]
    .filter((name) => name.startsWith(start))
    .map((name): [string, string] => [name.slice(start.length), textFlag(flags, name)]);
}

/** BR takes every `+` in a URL for a plus sign, not for a space. */
function queryParameters(query: string): Array<[string, string]> {
  return [...new URLSearchParams(query.replaceAll('+', '%2B'))].map(([name, value]) => [
    name.toLowerCase().replaceAll('_', '-'),
    value,
  ]);
}

function decoded(path: string, url: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new BrError(`parse "${url}": invalid URL escape`);
  }
}

/**
 * A boolean parameter: true, false, 1, 0, t or f, in any case.
 *
 * @throws BrError for anything else
 */
export function boolParameter(parameters: StorageParameters, name: string, fallback: boolean): boolean {
  const value = parameters.get(name);
  if (value === undefined || value === '') return fallback;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalidStorage(`failed to parse storage option ${name}=${value}`);
}
