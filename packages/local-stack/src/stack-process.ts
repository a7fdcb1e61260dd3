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

/** A process drains for at most this long before it is killed. */
const STOP_GRACE_MS = 30_000;
const READY_ANSWER_MS = 2_000;
/**
 * What keeps a process of Tidemark small: left to itself, V8 takes memory that it then keeps. The image has the same
 * (Dockerfile); what each costs and brings is in docs/benchmarks.md.
 */
export const V8_OPTIONS = [
  '--max-semi-space-size=4', // what is young takes 8 MB and not 50
  '--heap-growing-percent=50', // the next full collection comes at one and a half times what the last one left
  '--compact-on-every-full-gc', // pages that are nearly empty are emptied
  '--memory-pool-timeout=1', // and given back after a second or two, not after twelve
  '--managed-zone-memory', // also what the compilers used, which malloc keeps
  '--gc-memory-reducer-start-delay-ms=4000', // a process with little to do is collected soon
];

/** A process of the stack that nothing has started yet. */
export function stackProcess(
  placed: PlacedProcess,
  env: Readonly<Record<string, string>>,
  dataDir: string,
  options: SuperviseOptions,
): StackProcess {
  const operations = addressOf(placed.operationsPort);
  const spec = {
    name: placed.name,
    program: process.execPath,
    args: [...V8_OPTIONS, join(REPOSITORY, SERVICE_KINDS[placed.kind].main)],
    env,
    dataDir,
    whyNotReady: (signal: AbortSignal) => askReadiness(operations, signal),
  };
  const supervised = supervise(spec, options);
  const untilReady = (signal: AbortSignal = AbortSignal.timeout(120_000)) => supervised.untilReady(signal);
  const stop = () => supervised.stop(STOP_GRACE_MS);
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
