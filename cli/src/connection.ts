import { join, resolve } from 'node:path';
import { MAX_SECRET_SETTING_BYTES } from '@tidemark/limits/limits';
import { readFileWithinSync, whyUnread } from '@tidemark/service-kit/bounded-read';
import type { Env } from '@tidemark/service-kit/env';
import { contextsFile, readContexts } from './contexts.ts';
import { UsageError } from './exit.ts';

/** Where Tidemark's API is, and the token for it. */
export interface Connection {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** What said so, for people. */
  readonly from: string;
  /** That the token was read from, where it was one. */
  readonly tokenFile?: string;
}

export interface ConnectionSources {
  readonly url?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly context?: string | undefined;
  readonly env: Env;
  /** That relative names are meant from. */
  readonly folder: string;
  /** Where `.tidemark` is. */
  readonly repository: string;
}

/**
 * Finds out how to reach Tidemark: by options, else by the environment, else by the context in use, else by what `npm start`
 * wrote. A token that came with an address is sent nowhere else.
 *
 * @throws UsageError naming what is missing
 */
export function findConnection({ url, tokenFile, context, env, folder, repository }: ConnectionSources): Connection {
  if (url !== undefined && context !== undefined)
    throw new UsageError('--url and --context both say where Tidemark is: leave one of them out.');
  const named = url ?? (context === undefined ? env.TIDEMARK_URL : undefined);
  // Before the token, so that what is no address is told as that.
  const address = named === undefined ? undefined : toUrl(named);
  const file = tokenFile ?? env.TIDEMARK_TOKEN_FILE;
  const token = file === undefined ? undefined : tokenOf(resolve(folder, file));
  if (address === undefined) {
    const kept = contextOf(context ?? env.TIDEMARK_CONTEXT, env) ?? startedHere(repository);
    if (!kept)
      throw new UsageError(
        'Say where Tidemark is, with --url or TIDEMARK_URL, or once and for all with "context add": no npm start runs here that would say.',
      );
    return { ...kept, ...token };
  }
  if (!token)
    throw new UsageError(`Name the file of a token for ${address}, with --token-file or TIDEMARK_TOKEN_FILE.`);
  return { url: address, ...token, from: url === undefined ? 'TIDEMARK_URL' : '--url' };
}

/** @throws UsageError for a name that no context has */
function contextOf(name: string | undefined, env: Env): Connection | undefined {
  const { current, contexts } = readContexts(contextsFile(env));
  const chosen = name ?? current;
  if (chosen === undefined) return undefined;
  const context = Object.hasOwn(contexts, chosen) ? contexts[chosen] : undefined;
  if (!context) throw new UsageError(`There is no context "${chosen}"; "context list" shows those that there are.`);
  return { url: context.url, ...tokenOf(context.tokenFile), from: `the context ${chosen}` };
}

/** The address of an API as it is kept: without a slash at its end, and without /api/v1. @throws UsageError */
export function toUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new UsageError(`The URL must be like http://127.0.0.1:4116; "${text}" is not.`);
  if (url.username !== '' || url.password !== '')
    throw new UsageError('The URL must hold no user and no password: name a token file beside it.');
  return text.replace(/\/+$/, '').replace(/\/api\/v1$/, '');
}

const tokenOf = (tokenFile: string) => ({ token: readToken(tokenFile), tokenFile });

/** @throws UsageError */
export function readToken(file: string): string {
  let token: string;
  try {
    token = readFileWithinSync(file, MAX_SECRET_SETTING_BYTES).toString('utf8').trim();
  } catch (error) {
    throw new UsageError(`The token file ${file} ${whyUnread(error)}.`);
  }
  // What a header cannot hold would be quoted by the error about it.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError(`The token file ${file} must hold a token and nothing else.`);
  return token;
}

function startedHere(repository: string): Connection | undefined {
  try {
    const file = join(repository, '.tidemark', 'connection.json');
    const { url, token } = JSON.parse(readFileWithinSync(file, MAX_SECRET_SETTING_BYTES).toString('utf8'));
    return { url: String(url), token: String(token), from: 'npm start' };
  } catch {
    return undefined; // nothing was started, or it has stopped
  }
}
