import { join, resolve } from 'node:path';
import { MAX_SECRET_SETTING_BYTES } from '@tidemark/limits/limits';
import { readFileWithinSync, whyUnread } from '@tidemark/service-kit/bounded-read';
import type { Env } from '@tidemark/service-kit/env';
import { UsageError } from './options.ts';

/** Where Tidemark's API is, and the token for it. */
export interface Connection {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string;
}

export interface ConnectionSources {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly env: Env;
  /** That relative names are meant from. */
  readonly folder: string;
  /** Where `.tidemark` is. */
  readonly repository: string;
}

/**
 * Finds out how to reach Tidemark: by options, else by the environment, else by what `npm start` wrote.
 * The token that it wrote is sent nowhere but to its own URL.
 *
 * @throws UsageError naming what is missing
 */
export function findConnection({ url, tokenFile, env, folder, repository }: ConnectionSources): Connection {
  const named = url ?? env.TIDEMARK_URL;
  const file = tokenFile ?? env.TIDEMARK_TOKEN_FILE;
  if (named === undefined) {
    const started = readStarted(join(repository, '.tidemark', 'connection.json'));
    if (!started)
      throw new UsageError(
        'Say where Tidemark is, with --url or TIDEMARK_URL: no npm start runs here that would tell.',
      );
    return file === undefined ? started : { ...started, token: readToken(resolve(folder, file)) };
  }
  if (file === undefined)
    throw new UsageError(`Name the file of an admin's token for ${named}, with --token-file or TIDEMARK_TOKEN_FILE.`);
  return { url: toUrl(named), token: readToken(resolve(folder, file)) };
}

function toUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new UsageError(`The URL must be like http://127.0.0.1:4116; "${text}" is not.`);
  return text.replace(/\/+$/, '').replace(/\/api\/v1$/, '');
}

function readToken(file: string): string {
  let token: string;
  try {
    token = readFileWithinSync(file, MAX_SECRET_SETTING_BYTES).toString('utf8').trim();
  } catch (error) {
    throw new UsageError(`The token file ${file} ${whyUnread(error)}.`);
  }
  if (!/^\S+$/.test(token)) throw new UsageError(`The token file ${file} must hold a token and nothing else.`);
  return token;
}

function readStarted(file: string): Connection | undefined {
  try {
    const { url, token } = JSON.parse(readFileWithinSync(file, MAX_SECRET_SETTING_BYTES).toString('utf8'));
    return { url: String(url), token: String(token) };
  } catch {
    return undefined; // nothing was started, or it has stopped
  }
}
