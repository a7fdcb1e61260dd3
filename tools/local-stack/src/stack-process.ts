import { join } from 'node:path';
import type { ChildExit } from './child.ts';
import type { PlacedProcess } from './ports.ts';
import { REPOSITORY } from './repository.ts';
import { addressOf } from './service-environment.ts';
import { SERVICE_KINDS, type ServiceKind } from './service-kinds.ts';
import { type SuperviseOptions, supervise } from './supervise.ts';

/** One process of a stack, to be watched, killed and brought back by tests. */
export interface StackProcess {
  readonly kind: ServiceKind;
  /** The kind, with a number where there are several copies. */
  readonly name: string;
  /** Changes with each restart. */
  readonly pid: number;
  readonly running: boolean;
  /** host:port where it serves, empty for a worker. */
  readonly address: string;
  /** host:port where a gateway serves gRPC, empty for others. */
  readonly grpc: string;
  /** host:port of `/livez`, `/readyz` and `/metrics`. */
  readonly operations: string;
  readonly logFile: string;
  /** Sends any signal, SIGKILL and SIGSTOP included. Whether the stack starts it again is `StackOptions.restart`. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the process that runs now has ended. */
  exited(): Promise<ChildExit>;
  /** Starts it if it does not run, on the same ports; resolves when it is ready. */
  start(signal?: AbortSignal): Promise<void>;
  /** Ends it gently (TERM, and KILL after the grace) for good, until `start`. */
  stop(): Promise<void>;
  /** `stop`, then `start`. */
  restart(): Promise<void>;
  /** Resolves when it is ready. @throws a sentence with the end of its log when it gave up */
  untilReady(signal?: AbortSignal): Promise<void>;
}

/** Beyond the drain of a worker. */
const STOP_GRACE_MS = 30_000;
const READY_ANSWER_MS = 2_000;
/**
 * V8's young generation takes 8 MB with this and up to 50 without, most of which a process of Tidemark never gives back. The
 * image has the same (Dockerfile); docs/benchmarks.md says what it brings.
 */
export const V8_OPTIONS = ['--max-semi-space-size=4'];

/**
 * A process of the stack that nothing has started yet.
 *
 * @param runner a program with arguments that becomes the process; empty for Node.js itself
 */
export function stackProcess(
  placed: PlacedProcess,
  env: Readonly<Record<string, string>>,
  dataDir: string,
  runner: readonly string[],
  options: SuperviseOptions,
): StackProcess {
  const operations = addressOf(placed.operationsPort);
  const [program = process.execPath, ...args] = [
    ...runner,
    process.execPath,
    ...V8_OPTIONS,
    join(REPOSITORY, SERVICE_KINDS[placed.kind].main),
  ];
  const spec = {
    name: placed.name,
    program,
    args,
    env,
    dataDir,
    whyNotReady: (signal: AbortSignal) => askReadiness(operations, signal),
  };
  const supervised = supervise(spec, options);
  const untilReady = (signal: AbortSignal = AbortSignal.timeout(120_000)) => supervised.untilReady(signal);
  const stop = () => supervised.stop(stopGraceMs(placed.kind, env));
  const start = async (signal?: AbortSignal) => {
    await supervised.start();
    await untilReady(signal);
  };
  return {
    kind: placed.kind,
    name: placed.name,
    get pid() {
      return supervised.pid;
    },
    get running() {
      return supervised.running;
    },
    address: placed.port === undefined ? '' : addressOf(placed.port),
    grpc: placed.grpcPort === undefined ? '' : addressOf(placed.grpcPort),
    operations,
    logFile: supervised.logFile,
    kill: supervised.kill,
    exited: supervised.exited,
    start,
    stop,
    async restart() {
      await stop();
      await start();
    },
    untilReady,
  };
}

/**
 * How long a process may take to stop before it is killed, in milliseconds: a worker first goes on with what it has for its
 * drain time, and refuses to start if that is no number.
 */
export function stopGraceMs(kind: ServiceKind, { TIDEMARK_DRAIN_SECONDS }: Readonly<Record<string, string>>): number {
  const seconds = kind === 'executor-worker' ? Number(TIDEMARK_DRAIN_SECONDS ?? 0) : 0;
  return STOP_GRACE_MS + (seconds > 0 ? seconds * 1_000 : 0);
}

/** What `/readyz` says is missing; `undefined` when it says yes. */
async function askReadiness(operations: string, signal: AbortSignal): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(READY_ANSWER_MS)]);
  try {
    const response = await fetch(`http://${operations}/readyz`, { signal: limit });
    const answer = await response.text();
    return response.ok ? undefined : `/readyz answers ${response.status} ${answer}`;
  } catch (error) {
    return `/readyz does not answer: ${(error as Error).message}`;
  }
}
