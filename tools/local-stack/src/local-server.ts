/**
 * A broker or database that belongs to one stack, made of one or more child processes.
 *
 * 1. Processes start in the order of the plan, each when the one before listens, and stop in the reverse order.
 * 2. `start`, `stop`, `kill` and `wipe` run one after the other, never side by side.
 * 3. A process that ends while the server is wanted is a crash; one that was stopped is not.
 */
import { type Child, startChild } from './child.ts';
import { untilListening } from './until-listening.ts';

/** A broker or database that belongs to one stack and listens on loopback only. */
export interface LocalServer extends AsyncDisposable {
  /** Where clients connect; may carry a password, so it is never logged. The same after stop and start. */
  readonly url: string;
  /** One line for people: which server was chosen and where its data lies. */
  readonly choice: string;
  /** Resolves when clients can connect. Nothing happens when it already runs. */
  start(): Promise<void>;
  /** Ends it gently; its data stays. Nothing happens when it is stopped. */
  stop(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
  /** Deletes all its data; if it runs, it is stopped before and started empty after. */
  wipe(): Promise<void>;
  /** Why it answers with errors of its own; undefined when it is well. Throws where it does not answer. Left out where nobody asks. */
  readonly whySick?: (signal: AbortSignal) => Promise<string | undefined>;
  /** Asks its own administration tool; answers what that printed. Left out where there is none. */
  readonly control?: (args: readonly string[]) => Promise<string>;
}

/** Where a server starts; the rest is its own choice. */
export interface LocalServerOptions {
  /** The data folder of the stack: the server's files, log and run record go below it. */
  readonly dataDir: string;
  /** Says what takes time. */
  readonly say: (line: string) => void;
  /** Gives up finding, installing and starting. */
  readonly signal: AbortSignal;
  /** Called each time a process of the server has ended without being asked to; the rest of it is stopped by then. */
  readonly onCrash?: (server: LocalServer) => void;
}

/** One process of a server. */
export interface ServerProcess {
  /** Names its log and run record. */
  readonly name: string;
  /** How sentences call it. */
  readonly title: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** It is ready when it listens there. */
  readonly port: number;
  /** Sent after connecting: ready means that anything comes back. Without it, accepting is enough. */
  readonly probe?: Buffer;
  readonly startTimeoutMs: number;
  readonly stopGraceMs: number;
}

/** What is particular about a server. */
export interface ServerPlan {
  readonly url: string;
  readonly choice: string;
  readonly processes: readonly ServerProcess[];
  /** Runs before each start: files, leftovers of an earlier run. */
  prepare(): Promise<void>;
  /** Runs when all processes listen, before clients may connect. */
  onListening?(): Promise<void>;
  /** Runs when all processes have ended. */
  afterStop?(): Promise<void>;
  /** Deletes the data of the stopped server. */
  erase(): Promise<void>;
  /** Why the running server answers with errors of its own; undefined when it is well. Throws where it does not answer. */
  whySick?(signal: AbortSignal): Promise<string | undefined>;
  /** Asks the server's own administration tool. */
  readonly control?: (args: readonly string[]) => Promise<string>;
}

/** A server after its plan; nothing runs before `start`. */
export function localServer(plan: ServerPlan, options: LocalServerOptions): LocalServer {
  let children: Child[] = [];
  let last: Promise<unknown> = Promise.resolve();

  function oneByOne<T>(act: () => Promise<T>): Promise<T> {
    const result = last.then(act);
    last = result.catch(() => undefined);
    return result;
  }

  async function start(): Promise<void> {
    if (children.length > 0) return;
    try {
      await plan.prepare();
      for (const wanted of plan.processes) {
        const child = await startChild({ ...wanted, dataDir: options.dataDir });
        children.push(child);
        await untilListening(child, wanted, options.signal);
      }
      await plan.onListening?.();
    } catch (error) {
      await stop();
      throw error;
    }
    for (const child of children) void child.exited.then(() => afterExit(child));
  }

  async function stop(): Promise<void> {
    const running = children;
    children = [];
    for (const [index, child] of [...running.entries()].reverse()) {
      await child.stop(plan.processes[index]?.stopGraceMs ?? 0);
    }
    if (running.length > 0) await plan.afterStop?.();
  }

  async function kill(): Promise<void> {
    for (const child of children) child.kill('SIGKILL');
    await stop();
  }

  async function afterExit(child: Child): Promise<void> {
    if (!children.includes(child)) return;
    await oneByOne(stop);
    options.onCrash?.(server);
  }

  const server: LocalServer = {
    url: plan.url,
    choice: plan.choice,
    ...(plan.control && { control: plan.control }),
    ...(plan.whySick && {
      whySick: async (signal: AbortSignal) => (children.length > 0 ? plan.whySick?.(signal) : undefined),
    }),
    start: () => oneByOne(start),
    stop: () => oneByOne(stop),
    kill: () => oneByOne(kill),
    wipe: () =>
      oneByOne(async () => {
        const running = children.length > 0;
        await stop();
        await plan.erase();
        if (running) await start();
      }),
    [Symbol.asyncDispose]: () => oneByOne(stop),
  };
  return server;
}
