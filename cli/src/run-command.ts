import { createInterface } from 'node:readline/promises';
import type { Env } from '@tidemark/service-kit/env';
import type { Api } from './api.ts';
import type { Connection } from './connection.ts';
import { CommandError, EXIT, UsageError } from './exit.ts';
import type { GlobalOptions } from './options.ts';
import { createProgram, namesIn, UsageShown, withVersion } from './program.ts';
import type { Run, Session } from './session.ts';
import { createScreen, type Screen, type Stream } from './terminal.ts';
import { printable, printableText } from './text.ts';

/** What a process has around it. */
export interface Surroundings {
  readonly env: Env;
  /** That relative names are meant from. */
  readonly folder: string;
  /** Where `.tidemark` is. */
  readonly repository: string;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: Stream;
  readonly stderr: NodeJS.WritableStream & Stream;
  /** Is aborted when somebody wants the command to end. */
  readonly stop: AbortController;
}

/** Of help that is not read on a terminal. */
const HELP_COLUMNS = 100;

/** Does what the arguments say, and writes what is wrong to standard error. @returns the exit code */
export async function runCommand(given: readonly string[], surroundings: Surroundings): Promise<number> {
  const args = withVersion(given);
  const { stdout, stderr, stop } = surroundings;
  const screen = createScreen(stderr);
  let exitCode: number = EXIT.done;
  try {
    const run: Run = async (act) => {
      exitCode = (await act(await openSession(program.opts(), screen, surroundings))) ?? EXIT.done;
    };
    const program = await createProgram(namesIn(args), run, {
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => screen.write(printableText(text)),
      getOutHelpWidth: () => createScreen(stdout).columns ?? HELP_COLUMNS,
      getErrHelpWidth: () => screen.columns ?? HELP_COLUMNS,
    });
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof UsageShown) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof CommandError) {
      screen.write(`${screen.paint('red', printableText(error.message))}\n`);
      return error.exitCode;
    }
    if (stop.signal.aborted) return EXIT.interrupted;
    // Node.js would quote the source with it, which is one long line in the bundle.
    screen.write(
      printableText(`This is a mistake in tidemark itself: ${error instanceof Error ? error.stack : error}\n`),
    );
    return EXIT.broken;
  }
}

async function openSession(options: GlobalOptions, screen: Screen, surroundings: Surroundings): Promise<Session> {
  const { env, folder, repository, stdin, stdout, stderr, stop } = surroundings;
  const { output, ...named } = options;
  const [{ createApi }, { findConnection }, { createOutput }] = await Promise.all([
    import('./api.ts'),
    import('./connection.ts'),
    import('./output.ts'),
  ]);
  const data = createScreen(stdout);
  let connection: Connection | undefined;
  let api: Api | undefined;
  const session: Session = {
    get connection() {
      connection ??= findConnection({ ...named, env, folder, repository });
      return connection;
    },
    get api() {
      api ??= createApi(session.connection, stop.signal);
      return api;
    },
    output: createOutput(output, data),
    data,
    screen,
    tell: (line, style) => screen.write(`${screen.paint(style, printableText(line))}\n`),
    isInteractive: stdin.isTTY === true && screen.isTerminal,
    async ask(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      lines.once('SIGINT', () => stop.abort());
      try {
        return await lines.question(printable(question), { signal: stop.signal });
      } finally {
        lines.close();
      }
    },
    async input(maxBytes) {
      const pieces: Buffer[] = [];
      let bytes = 0;
      for await (const piece of stdin) {
        pieces.push(Buffer.from(piece));
        bytes += pieces.at(-1)?.length ?? 0;
        if (bytes > maxBytes) throw new UsageError(`Standard input is too large (over ${maxBytes} bytes).`);
      }
      return Buffer.concat(pieces).toString('utf8');
    },
    command: env.npm_lifecycle_event === 'tidemark' ? 'npm run tidemark --' : 'tidemark',
    stop: stop.signal,
    env,
    folder,
    repository,
  };
  return session;
}
