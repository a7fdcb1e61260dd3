/** `npm run tidemark -- …`: Tidemark from a terminal. */
import { dirname, join, resolve } from 'node:path';
import { readEnv } from '@tidemark/service-kit/env';
import { ApiError, createApi } from './api.ts';
import { findConnection } from './connection.ts';
import { HELP, parseOptions, UsageError } from './options.ts';
import { rebuild } from './rebuild.ts';
import { createStatusLine } from './status-line.ts';
import { token } from './token.ts';
import { TokenFileProblem } from './token-file.ts';
import { parseTokenOptions, TOKEN_HELP } from './token-options.ts';
import { parseVerifyOptions, VERIFY_HELP } from './verify-options.ts';

const REPOSITORY = dirname(dirname(import.meta.dirname));

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const [first, ...rest] = process.argv.slice(2);
    if (first === 'token') return await tokenCommand(rest);
    if (first === 'verify') return await verifyCommand(rest);
    const asked = parseOptions(process.argv.slice(2));
    if (asked.command === 'help') {
      process.stdout.write(HELP);
      return 0;
    }
    const { env, folder } = surroundings();
    const call = createApi(findConnection({ ...asked, env, folder, repository: REPOSITORY }), stop.signal);
    return (await rebuild(asked, { call, say, stop: stop.signal })) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ApiError || error instanceof TokenFileProblem)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function tokenCommand(args: readonly string[]): Promise<number> {
  const now = Date.now();
  const asked = parseTokenOptions(args, now);
  if (asked.command === 'help') {
    process.stdout.write(TOKEN_HELP);
    return 0;
  }
  const { env, folder } = surroundings();
  const named = asked.file ?? env.TIDEMARK_TOKENS_FILE;
  const file = named === undefined ? join(REPOSITORY, '.tidemark', 'secrets', 'tokens.json') : resolve(folder, named);
  await token(asked, { file, named: named !== undefined, say, tell, stop: stop.signal, now });
  return 0;
}

async function verifyCommand(args: readonly string[]): Promise<number> {
  const { env, folder } = surroundings();
  const asked = parseVerifyOptions(args, folder);
  if (asked.command === 'help') {
    process.stdout.write(VERIFY_HELP);
    return 0;
  }
  // Only who verifies waits for the clients of object stores to load.
  const { verify } = await import('./verify.ts');
  return await verify(asked, { env, say, show: createStatusLine(process.stderr), stop: stop.signal });
}

function surroundings() {
  const env = readEnv();
  // npm runs scripts in the repository; names are meant from where it was called.
  return { env, folder: env.INIT_CWD ?? process.cwd() };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What is for people only, so that scripts can read the rest. */
function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
