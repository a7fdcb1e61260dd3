/** `npm run tidemark -- …`, or `tidemark` as one file: Tidemark from a terminal. */
import { dirname } from 'node:path';
import { readEnv } from '@tidemark/service-kit/env';
import { EXIT } from './exit.ts';
import { runCommand } from './run-command.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    // Whoever asks twice does not want to wait for what the first one began.
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    stop.abort();
  });
// Who reads no further wants no more, and no complaint about it.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.done);
    if (stream === process.stdout) process.stderr.write(`The output could not be written: ${error.message}.\n`);
    process.exit(EXIT.failed);
  });

const env = readEnv();
process.exitCode = await runCommand(process.argv.slice(2), {
  env,
  // npm runs scripts in the repository; names are meant from where it was called.
  folder: env.INIT_CWD ?? process.cwd(),
  // Of the sources and of the bundle alike.
  repository: dirname(dirname(import.meta.dirname)),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  stop,
});
