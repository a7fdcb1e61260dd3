/**
 * Keeps a process running.
 *
 * 1. At most one child of a name at a time.
 * 2. `start`, `stop` and `restart` run one after the other. After `stop` nothing starts the child but `start`.
 * 3. A child that ends unasked is started again after a growing pause, as often as it takes, unless that is switched off or
 *    it ended with exit code 2, which says that its settings are wrong.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, type ChildExit, logPath, startChild } from './child.ts';
import { keepTrying, pauseBefore } from './keep-trying.ts';
import { lastWords } from './until-listening.ts';

/** A program that is meant to run for ever. */
export interface ProcessSpec {
  /** Names its log and run record. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly dataDir: string;
  /** Why the process does not do its work now; `undefined` when it does. */
  whyNotReady(signal: AbortSignal): Promise<string | undefined>;
}

export interface SuperviseOptions {
  /** Whether a process that ended unasked is started again. */
  readonly restart: boolean;
  /** Called with each unasked end, in a sentence. */
  readonly say: (line: string) => void;
  /** Called whenever the pid has changed. */
  readonly onStarted?: () => void;
}

export interface Supervised {
  readonly name: string;
  /** The pid of the child that runs or ran last. */
  readonly pid: number;
  readonly running: boolean;
  readonly logFile: string;
  /** Starts the child unless it runs; see `untilReady` for when it works. */
  start(): Promise<void>;
  /** Resolves when the process does its work. @throws a sentence with the end of its log when it gave up or took too long */
  untilReady(signal: AbortSignal): Promise<void>;
  /** Sends a signal, as somebody else would: what happens then is up to the process and to `restart`. */
  kill(signal: NodeJS.Signals): void;
  /** How the child that runs now ended, once it has. */
  exited(): Promise<ChildExit>;
  /** Ends it for good: TERM, and KILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

const WRONG_SETTINGS = 2;
const READY_LIMIT_MS = 60_000;
const READY_POLL_MS = 100;
/** A child that ran this long was well: the next pause is the first one again. */
const WELL_AFTER_MS = 30_000;
/** While it is waited for, a process that ends unasked this often is given up. */
const READY_TRIES = 3;

/** A process after its spec; nothing runs before `start`. */
export function supervise(spec: ProcessSpec, options: SuperviseOptions): Supervised {
  const logFile = logPath(spec.dataDir, spec.name);
  let child: Child | undefined;
  let wanted = new AbortController();
  let ends = 0;
  let resigned = false;
  let last: Promise<unknown> = Promise.resolve();
  wanted.abort();

  function oneByOne(act: () => Promise<void>): Promise<void> {
    const result = last.then(act);
    last = result.catch(() => undefined);
    return result;
  }

  async function spawn(): Promise<void> {
    const startedAt = performance.now();
    const started = await startChild(spec);
    child = started;
    options.onStarted?.();
    void started.exited.then((exit) => afterExit(started, exit, performance.now() - startedAt));
  }

  async function afterExit(ended: Child, exit: ChildExit, livedMs: number): Promise<void> {
    if (wanted.signal.aborted) return;
    ends = livedMs > WELL_AFTER_MS ? 1 : ends + 1;
    const again = options.restart && exit.code !== WRONG_SETTINGS;
    options.say(
      `${spec.name} ended unasked (${exit.signal ?? `exit code ${exit.code}`})${again ? ': starting it again' : ''}`,
    );
    resigned = !again;
    if (resigned) return;
    const { signal } = wanted;
    await sleep(pauseBefore(ends), undefined, { signal }).catch(() => undefined);
    const spawnAgain = () =>
      oneByOne(async () => {
        if (!signal.aborted && child === ended) await spawn();
      });
    const tellFailure = (error: Error, pauseMs: number) =>
      options.say(`${spec.name} could not be started again, the next try is in ${pauseMs / 1_000} s: ${error.message}`);
    await keepTrying(spawnAgain, tellFailure, signal);
  }

  function givenUp(): boolean {
    return child !== undefined && !child.running && (resigned || ends >= READY_TRIES || wanted.signal.aborted);
  }

  return {
    name: spec.name,
    logFile,
    get pid() {
      return child?.pid ?? 0;
    },
    get running() {
      return child?.running ?? false;
    },
    start: () =>
      oneByOne(async () => {
        if (child?.running) return;
        wanted.abort();
        wanted = new AbortController();
        ends = 0;
        resigned = false;
        await spawn();
      }),
    async untilReady(signal) {
      const giveUpAt = performance.now() + READY_LIMIT_MS;
      for (;;) {
        const why = child?.running ? await spec.whyNotReady(signal) : 'it does not run';
        if (why === undefined) return;
        signal.throwIfAborted();
        if (givenUp()) throw new Error(`${spec.name} ended while starting${lastWords({ logFile })}`);
        if (performance.now() > giveUpAt) {
          throw new Error(
            `${spec.name} was not ready within ${READY_LIMIT_MS / 1000} s (${why})${lastWords({ logFile })}`,
          );
        }
        await sleep(READY_POLL_MS, undefined, { signal });
      }
    },
    kill(signal) {
      child?.kill(signal);
    },
    async exited() {
      return child === undefined ? { code: null, signal: null } : child.exited;
    },
    stop: (graceMs) => {
      // At once, so that nothing starts it again while earlier steps are waited for.
      wanted.abort();
      return oneByOne(async () => {
        await child?.stop(graceMs);
      });
    },
  };
}
