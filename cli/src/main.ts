/** `npm run tidemark -- …`: Tidemark from a terminal. */
import { dirname } from 'node:path';
import { readEnv } from '@tidemark/service-kit/env';
import { ApiError, createApi } from './api.ts';
import { findConnection } from './connection.ts';
import { HELP, parseOptions, UsageError } from './options.ts';
import { rebuild } from './rebuild.ts';

const REPOSITORY = dirname(dirname(import.meta.dirname));

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const asked = parseOptions(process.argv.slice(2));
    if (asked.command === 'help') {
      process.stdout.write(HELP);
      return 0;
    }
    const env = readEnv();
    // npm runs scripts in the repository; names are meant from where it was called.
    const folder = env.INIT_CWD ?? process.cwd();
    const call = createApi(findConnection({ ...asked, env, folder, repository: REPOSITORY }), stop.signal);
    const say = (line: string) => void process.stdout.write(`${line}\n`);
    return (await rebuild(asked, { call, say, stop: stop.signal })) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof ApiError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}
