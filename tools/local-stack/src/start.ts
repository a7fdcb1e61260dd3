/**
 * `npm start`.
 *
 * 1. The first signal, a closed terminal, or the end of the process that started this one stops everything in order.
 * 2. Ctrl-C may reach this process several times at once (terminal, npm, bootstrap), and more signals follow when npm
 *    goes. Only a second Ctrl-C, at least a second later, ends everything at once.
 */
import { removeConnection } from './connection-file.ts';
import { registerDemoFleet } from './demo-fleet.ts';
import { startDemoWrites } from './demo-writes.ts';
import { pasteLines } from './paste-lines.ts';
import { restoreLines } from './restore-lines.ts';
import { urlFrom } from './servers.ts';
import { DEMO_PD, type Stack, type StackOptions, startStack } from './stack.ts';
import { HELP, parseStartOptions, type StartOptions } from './start-options.ts';

const SECOND_SIGNAL_MS = 1_000;
const PARENT_POLL_MS = 500;

const startedAt = performance.now();
const stop = new AbortController();
const stopped = Promise.withResolvers<string>();
let stack: Stack | undefined;

watchForStop();
process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  try {
    const options = parseStartOptions(process.argv.slice(2), process.env.INIT_CWD ?? process.cwd());
    if (options === 'help') {
      process.stdout.write(HELP);
      return 0;
    }
    stack = await startStack(toStackOptions(options));
    if (options.demoFleet) {
      say('Registering the demo fleet');
      await registerDemoFleet(stack, stack.storage, stop.signal);
    }
    if (options.br === undefined && (await startDemoWrites(stack.dataDir, DEMO_PD, stop.signal)) === undefined)
      say('The made-up cluster could not be told to write rows: it holds what it held.');
    describe(stack, options);
    say(`Stopping: ${await stopped.promise}`);
    await stack[Symbol.asyncDispose]();
    say('Stopped');
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

function toStackOptions({ br, workers, demoFleet: _, ...options }: StartOptions): StackOptions {
  return {
    ...options,
    ...(br !== undefined && { br: [br] }),
    copies: { 'executor-worker': workers },
    console: true,
    amqpUrl: urlFrom(process.env, 'TIDEMARK_AMQP_URL'),
    mongodbUrl: urlFrom(process.env, 'TIDEMARK_MONGODB_URL'),
    say,
    signal: stop.signal,
  };
}

function describe({ url, grpc, token, dataDir, storage }: Stack, { br }: StartOptions): void {
  const what = br === undefined ? 'demo-br, a stand-in that backs up a made-up cluster' : br;
  say('Ready');
  process.stdout.write(
    [
      '',
      `  Console  ${url}`,
      `  Log in   ${url}/#token=${token}`,
      `  API      ${url}/api/v1`,
      `  gRPC     ${grpc} (Connect and gRPC-web: ${url})`,
      `  Token    ${token}`,
      `  Cluster  test-tidb, backed up by ${what}`,
      ...(br === undefined ? ['  Rows     one more in its table shop.events every 5 s'] : []),
      `  Files    ${storage}`,
      `  Logs     ${dataDir}/logs`,
      '',
      'The six documented calls, to paste one by one or all at once:',
      '',
      ...pasteLines({ url, token }),
      '',
      ...(br === undefined
        ? [
            'A table of the made-up cluster that is lost, and restored into a second one (paste it in this folder):',
            '',
            ...restoreLines({ url, token, dataDir }),
            '',
          ]
        : []),
      'Ctrl-C stops everything. npm start -- --help tells the rest.',
      '',
    ].join('\n'),
  );
}

function say(line: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5);
  process.stdout.write(`${seconds} s  ${line}\n`);
}

function watchForStop(): void {
  let firstAt: number | undefined;
  const onStop = (reason: string) => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      stop.abort(new Error(`stopping: ${reason}`));
      stopped.resolve(reason);
    } else if (reason === 'SIGINT' && performance.now() - firstAt > SECOND_SIGNAL_MS) {
      if (stack) removeConnection(stack.dataDir);
      process.exit(1);
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => onStop(signal));
  // A terminal that was closed must not end us before we have stopped what we started.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onStop('the process that started this one is gone');
  }, PARENT_POLL_MS);
  timer.unref();
}
