/**
 * Everything Tidemark needs, on one machine: broker, database, and all processes.
 *
 * 1. Nothing starts before the data folder is claimed, and the claim is given back only when nothing runs any more.
 * 2. The database comes first and takes less than a second. Beside the broker, which takes longest, start the
 *    processes that do not need it; the others follow when it listens, rather than waiting out a reconnect delay.
 * 3. Stopped in the reverse order: who sends work goes before who does it, the servers last.
 * 4. Whoever fails on the way up stops all that was started, and says one sentence.
 */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildConsole } from './build-console.ts';
import { removeConnection, writeConnection } from './connection-file.ts';
import { claimDataFolder } from './data-folder.ts';
import { ask, isExecutable } from './find-program.ts';
import { lifetime } from './lifetime.ts';
import type { LocalServer } from './local-server.ts';
import { rotateLog } from './log-file.ts';
import { type PlacedProcess, placeProcesses } from './ports.ts';
import { register } from './registration.ts';
import { REPOSITORY } from './repository.ts';
import { stackSecrets } from './secret-files.ts';
import { findServers } from './servers.ts';
import { addressesOf, type StackSettings, serviceEnvironment } from './service-environment.ts';
import { DEFAULT_COPIES, KINDS, SERVICE_KINDS, type ServiceKind } from './service-kinds.ts';
import { type StackProcess, stackProcess } from './stack-process.ts';
import { removeFolder, temporaryDataFolder } from './temporary-data.ts';
import { startAgain, watchServer } from './watch-server.ts';
import { startWatchdog } from './watchdog.ts';

export interface StackOptions {
  /** Absolute. Left out: a temporary folder that is removed with the stack. */
  readonly dataDir?: string;
  /** Deletes everything in the data folder first. */
  readonly fresh?: boolean;
  /** Of the API. `'free'` (the default) gives free ports to all processes. */
  readonly port?: number | 'free';
  /** How many of each kind; 1 of each and 2 workers by default. 0 leaves a kind out. */
  readonly copies?: Partial<Record<ServiceKind, number>>;
  /** Variables on top, by kind of process or for `all`. */
  readonly env?: Partial<Record<ServiceKind | 'all', Readonly<Record<string, string>>>>;
  /** Variables on top of those, for one copy, by its name, such as `executor-worker-2`. */
  readonly envOfCopy?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** A program with arguments that one copy is run by, by its name: it must become the copy, as `unshare` does. */
  readonly runnerOfCopy?: Readonly<Record<string, readonly string[]>>;
  /**
   * Asked for each kind of process and each copy of a service, before either starts: the address at which that kind
   * reaches that copy, such as a proxy's. Undefined: where it listens.
   */
  readonly route?: (from: ServiceKind, to: ServiceKind, address: string) => Promise<string | undefined>;
  /** A broker to use instead of an own one. */
  readonly amqpUrl?: string;
  /** A database server to use instead of an own one. */
  readonly mongodbUrl?: string;
  /** Programs that workers may run as `br`; the stand-in `demo-br` by default. */
  readonly br?: readonly string[];
  /** PD addresses that `test-tidb` is registered with. */
  readonly pd?: readonly string[];
  /** Absolute folder for backups; `<data>/storage` by default. */
  readonly storage?: string;
  /** Whether the console is built before the gateway starts, unless it was (default false). A build that fails is told, and stops nothing. */
  readonly console?: boolean;
  /** Whether `test-tidb` and its storage are registered when all is ready (default true). */
  readonly register?: boolean;
  /** Whether a process or server that ended unasked is started again (default true). */
  readonly restart?: boolean;
  /** Called with what happens, a line at a time. */
  readonly say?: (line: string) => void;
  /** Gives up starting. */
  readonly signal?: AbortSignal;
}

export interface Stack extends AsyncDisposable {
  /** Of the API, such as `http://127.0.0.1:4116`. */
  readonly url: string;
  /** Of the API for gRPC, such as `127.0.0.1:4120`. */
  readonly grpc: string;
  /** An admin's token for every cluster. */
  readonly token: string;
  readonly dataDir: string;
  /** The folder that backups are written below. */
  readonly storage: string;
  readonly processes: readonly StackProcess[];
  readonly broker: LocalServer;
  readonly database: LocalServer;
  /** The first process of a kind. @throws if the stack has none */
  process(kind: ServiceKind): StackProcess;
}

/** Where the launcher of the stand-in for `br` is. */
export const DEMO_BR = join(REPOSITORY, 'tools', 'demo-br', 'bin', 'demo-br');
/** Where the cluster of the documented samples says that its PD is. */
export const DEMO_PD = '127.0.0.1:2379';
/** What demo-br says of itself. */
const DEMO_VERSION = '8.5.0';

const ROTATE_EVERY_MS = 10_000;
const BR_ANSWER_MS = 15_000;

/**
 * Starts a whole stack; it is ready when this resolves. Disposing it leaves no process, and no file if its data
 * folder was temporary.
 *
 * @throws a sentence about what is missing, taken or broken
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { say = () => undefined, restart = true, br = [DEMO_BR] } = options;
  const missing = br.find((program) => !isExecutable(program));
  if (missing !== undefined) throw new Error(`${missing} cannot be executed: name the br to run with --br.`);
  for (const program of options.br ?? []) {
    // A worker would wait for a better one; who starts a whole stack with one of his own wants to know.
    const answer = await ask(program, ['-V'], BR_ANSWER_MS);
    if (!answer?.includes('Release Version'))
      throw new Error(`${program} is not a br: it does not answer to -V as br does.`);
  }
  await using started = new AsyncDisposableStack();
  const { signal, settled, end } = lifetime(options.signal);
  const dataDir = options.dataDir ?? temporaryDataFolder();
  if (options.dataDir === undefined) started.defer(() => removeFolder(dataDir));
  const folder = started.use(await claimDataFolder(dataDir, options.fresh));
  started.use(startWatchdog(dataDir));
  if (folder.swept.length > 0) say(`Ended what an earlier stack had left: ${folder.swept.join(', ')}`);
  removeConnection(dataDir);
  const storage = storageFolder(options.storage, dataDir);
  const placed = await placeProcesses({ ...DEFAULT_COPIES, ...options.copies }, options.port ?? 'free');

  const onCrash = (server: LocalServer) => {
    say(`${server.choice.split(':')[0]} ended unasked${restart ? ': starting it again' : ''}`);
    if (restart) void startAgain(server, { say, signal });
  };
  const { broker, database } = await findServers(options, { dataDir, say, signal, onCrash });
  for (const server of [database, broker]) say(server.choice);
  started.defer(async () => {
    await Promise.all([broker[Symbol.asyncDispose](), database[Symbol.asyncDispose]()]);
  });

  const secrets = stackSecrets(dataDir);
  const settings = {
    dataDir,
    route: await routes(options.route, placed),
    secrets,
    amqpUrl: broker.url,
    mongodbUrl: database.url,
    br,
    envOfCopy: options.envOfCopy,
    env: { ...options.env, all: { ...(options.dataDir === undefined && ownNames(dataDir)), ...options.env?.all } },
  };
  let ready = false;
  const processes = placed.map((one) =>
    stackProcess(one, serviceEnvironment(one, placed, settings), dataDir, options.runnerOfCopy?.[one.name] ?? [], {
      restart,
      say,
      onStarted: () => ready && announce(),
    }),
  );
  const gateway = processes.find(({ kind }) => kind === 'gateway');
  const url = `http://${gateway?.address ?? ''}`;
  const grpc = gateway?.grpc ?? '';
  const announce = () => writeConnection({ url, grpc, token: secrets.token, dataDir, processes });
  started.defer(() => stopInOrder(processes));
  started.defer(() => end(new Error('the stack stops')));

  const consoleBuilt = options.console ? buildConsole(signal).catch((error: Error) => say(error.message)) : undefined;
  await database.start();
  const brokerStarted = broker.start().then(() => say('RabbitMQ is ready'));
  await Promise.all([
    brokerStarted,
    ...processes.map(async (one) => {
      if (SERVICE_KINDS[one.kind].amqp) await brokerStarted;
      if (one.kind === 'gateway') await consoleBuilt;
      await one.start(signal);
      say(`${one.name} is ready`);
    }),
  ]);
  if (gateway !== undefined && options.register !== false) {
    await register(
      { url, token: secrets.token },
      {
        pd: options.pd ?? [DEMO_PD],
        version: options.br ? '' : DEMO_VERSION,
        storage,
        anew: { cluster: options.pd !== undefined, storage: options.storage !== undefined },
      },
      signal,
    );
  }
  if (restart) for (const server of [database, broker]) void watchServer(server, { say, signal });
  settled();
  ready = true;
  announce();
  started.defer(() => {
    ready = false;
    removeConnection(dataDir);
  });
  const rotation = setInterval(() => rotateLogs(dataDir), ROTATE_EVERY_MS).unref();
  started.defer(() => clearInterval(rotation));

  const resources = started.move();
  return {
    url,
    grpc,
    token: secrets.token,
    dataDir,
    storage,
    processes,
    broker,
    database,
    process(kind) {
      const found = processes.find((one) => one.kind === kind);
      if (found === undefined) throw new Error(`This stack has no ${kind}.`);
      return found;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** The folder for backups: a given one must be there, since a storage that is not mounted must not be written beside. */
function storageFolder(given: string | undefined, dataDir: string): string {
  const folder = given ?? join(dataDir, 'storage');
  if (given === undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw new Error(`${folder} is no folder: name one that is there with --storage.`);
}

/** Names in servers that are shared with others, for a stack that keeps nothing. */
function ownNames(dataDir: string): Record<string, string> {
  return { TIDEMARK_AMQP_NAMESPACE: basename(dataDir), TIDEMARK_MONGODB_DATABASE: basename(dataDir) };
}

/** The answers of `route`, as a function. */
async function routes(route: StackOptions['route'], placed: readonly PlacedProcess[]): Promise<StackSettings['route']> {
  if (route === undefined) return undefined;
  const known = new Map<string, string | undefined>();
  for (const from of KINDS)
    for (const to of KINDS)
      for (const address of addressesOf(to, placed)) known.set(`${from} ${address}`, await route(from, to, address));
  return (from, address) => known.get(`${from} ${address}`) ?? address;
}

/** Ends who takes requests, then who does the work, then who keeps the books: each drains against what still runs. */
async function stopInOrder(processes: readonly StackProcess[]): Promise<void> {
  for (const kind of KINDS.toReversed()) {
    await Promise.all(processes.filter((one) => one.kind === kind).map((one) => one.stop()));
  }
}

function rotateLogs(dataDir: string): void {
  const folder = join(dataDir, 'logs');
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (name.endsWith('.log')) rotateLog(join(folder, name));
}
