/**
 * A `br` process and its guard, as one thing that starts, prints, and is gone.
 *
 * P1. `exited` resolves only when nobody is left in the process group: until then files may still be written.
 * P2. Both pipes are always read; what reads them must not throw.
 * P3. `stop` is TERM to `br` alone, grace, TERM, grace, KILL to the group; it can be called again and again. A call with a
 *     shorter grace hastens the one that is under way.
 * P4. A guard is started before there is a `br` for it, since Node takes longer to start than all the rest of a spawn.
 *     Until then it holds nothing, and goes with its worker.
 */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { signalGroup, signalProcess, untilGroupGone } from '@tidemark/processes/group';
import { processStart } from '@tidemark/processes/identity';
import { bootNow } from './boot-clock.mjs';

export interface BrOptions {
  /** The program and its arguments. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of `br`: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Until when it may start, by `performance.now()`. */
  readonly startBy: number;
  /**
   * A folder of this run alone, into whose files `stdout` and `stderr` it prints, and into whose `exit.json` the guard writes
   * how it ended, also when this process is gone (guard G7). Without one, its output comes through here.
   */
  readonly keepIn?: string;
  /** Without a sign of life for this long the guard ends `br`. */
  readonly guardMs: number;
  readonly killMs: number;
  readonly graceMs: number;
  /** Never called where there is a folder. */
  onStdout(chunk: Buffer): void;
  onStderr(chunk: Buffer): void;
  /** `br` was told to stop and still runs after its grace; it is asked again, and killed, once this has resolved. */
  onHang?(): Promise<void>;
}

/** How a run ended. */
export interface BrExit {
  /** Undefined when `br` was killed, or when the guard was before it could report. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** The guard ended it, because no renewal was answered for too long, or did not start it, because it was too late. */
  readonly silenced: boolean;
  /** The program could not be started at all. */
  readonly error: string | undefined;
}

/** The guards of a worker, of which one is ready. */
export interface Guards extends Disposable {
  /** The ready one, or one that starts now. Disposing it has the next one ready. */
  take(): Guard;
}

export interface Guard extends Disposable {
  /** The process group of the `br` to come, and so the guard; undefined when it could not be started. */
  readonly group: ProcessName | undefined;
  /** Starts `br`, once. */
  startBr(options: BrOptions): BrProcess;
}

/** Names a process for good, in the words of this system. */
export interface ProcessName {
  readonly pid: number;
  readonly start: string;
}

export interface BrProcess {
  readonly exited: Promise<BrExit>;
  /** Of `br` itself; undefined where it did not start. */
  readonly pid: Promise<number | undefined>;
  /** Notifies the guard that a renewal was answered. */
  keepAlive(): void;
  /**
   * Ends `br`, gently first; resolves when `exited` has.
   *
   * @param graceMs between the steps; that of the options when left out
   */
  stop(graceMs?: number): Promise<BrExit>;
}

const GUARD = fileURLToPath(new URL('./guard.mjs', import.meta.url));
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path)) ?? '';
const POLL_MS = 20;

interface GuardStatus {
  pid?: number;
  code?: number | null;
  signal?: string | null;
  error?: string;
  ending?: string;
}

/** @param stateDir of the worker; who looks at the list of processes sees it beside each guard */
export function openGuards(stateDir: string): Guards {
  let ready: Standby | undefined = startGuard(stateDir);
  let closed = false;
  return {
    take() {
      const standby = ready?.waits() ? ready : startGuard(stateDir);
      ready = undefined;
      const { pid } = standby.guard;
      const start = pid === undefined ? undefined : processStart(pid);
      return {
        group: pid === undefined || start === undefined ? undefined : { pid, start },
        startBr: (options) => startBr(standby, options),
        [Symbol.dispose]() {
          standby.guard.stdin.end();
          if (!closed) ready ??= startGuard(stateDir);
        },
      };
    },
    [Symbol.dispose]() {
      closed = true;
      ready?.guard.stdin.end();
    },
  };
}

interface Standby {
  readonly guard: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Resolves when the guard has ended, or could not be started. */
  readonly gone: Promise<void>;
  waits(): boolean;
}

function startGuard(stateDir: string): Standby {
  const guard = spawn(process.execPath, [GUARD, stateDir], {
    cwd: stateDir,
    env: {},
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  guard.once('error', () => resolve());
  guard.once('exit', () => resolve());
  guard.stdin.on('error', () => undefined); // the guard is gone, which `gone` says
  return {
    guard,
    gone,
    waits: () => guard.pid !== undefined && guard.exitCode === null && guard.signalCode === null,
  };
}

function startBr({ guard, gone }: Standby, options: BrOptions): BrProcess {
  const { argv, env, cwd, startBy, keepIn = '', guardMs, killMs, graceMs } = options;
  const group = guard.pid ?? 0;
  const status: GuardStatus = {};
  const told = readStatus(guard, status);
  guard.stdout.on('data', (chunk: Buffer) => options.onStdout(chunk));
  guard.stderr.on('data', (chunk: Buffer) => options.onStderr(chunk));
  const command = {
    argv,
    env,
    cwd,
    setpriv: SETPRIV,
    startBy: bootNow() + startBy - performance.now(),
    keepIn,
    guardMs,
    killMs,
  };
  guard.stdin.write(`${JSON.stringify(command)}\n`);
  const exited = gone
    .then(() => waitForEnd(guard, group, killMs))
    .then(
      (): BrExit => ({
        code: status.code ?? undefined,
        signal: status.signal ?? undefined,
        silenced: status.ending !== undefined,
        error: status.error,
      }),
    );

  let shortestMs = graceMs;
  let hasten = Promise.withResolvers<void>();
  /** Whether `br` is gone within the grace, which may become shorter meanwhile. */
  const gonePatiently = async (): Promise<boolean> => {
    const startedAt = performance.now();
    for (;;) {
      const leftMs = startedAt + shortestMs - performance.now();
      const { promise: hastened } = hasten;
      if (await within(Promise.race([exited, hastened]), Math.max(0, leftMs))) {
        if (await within(exited, 0)) return true;
      } else return false;
    }
  };
  const stop = async (): Promise<void> => {
    await within(Promise.race([told, exited]), shortestMs); // a TERM before br is there would be lost on the guard
    for (let step = 1; step <= 2; step += 1) {
      if (status.pid === undefined) signalGroup(group, 'SIGTERM');
      else signalProcess(status.pid, 'SIGTERM');
      if (await gonePatiently()) return;
      if (step === 1) await options.onHang?.();
    }
    // Its guard is to write down how it ended, and is killed only where it does not.
    if (keepIn !== '' && status.pid !== undefined) {
      signalProcess(status.pid, 'SIGKILL');
      if (await within(exited, killMs)) return;
    }
    signalGroup(group, 'SIGKILL');
  };
  let stopping: Promise<void> | undefined;
  return {
    exited,
    pid: Promise.race([told, exited]).then(() => status.pid),
    keepAlive: () => void guard.stdin.write('.'),
    async stop(patienceMs = graceMs) {
      if (patienceMs < shortestMs) {
        shortestMs = patienceMs;
        hasten.resolve();
        hasten = Promise.withResolvers();
      }
      stopping ??= stop();
      await stopping;
      return exited;
    },
  };
}

/** Resolves with the guard's first word: `br` has started, or could not. */
function readStatus(guard: ChildProcess, status: GuardStatus): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let text = '';
  guard.stdio[3]?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) Object.assign(status, JSON.parse(line));
    if (lines.length > 0) resolve();
  });
  return promise;
}

/** Until nobody is left in the group of a guard that has gone. */
async function waitForEnd(guard: ChildProcess, group: number, killMs: number): Promise<void> {
  // What br started may outlive it for a moment; what does not go by itself is killed.
  await untilGroupGone(group, { killAfterMs: killMs, pollMs: POLL_MS });
  // The pipes end with the last process that holds them; what is still in them belongs to the run.
  await Promise.race([
    Promise.all([guard.stdout, guard.stderr, guard.stdio[3] as Readable].map(ended)),
    sleep(killMs, undefined, { ref: false }),
  ]);
}

function ended(pipe: Readable | null | undefined): Promise<void> {
  return pipe && !pipe.closed ? new Promise((resolve) => pipe.once('close', () => resolve())) : Promise.resolve();
}

async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const late = new AbortController();
  const timeout = sleep(ms, false, { signal: late.signal }).catch(() => false);
  const inTime = await Promise.race([promise.then(() => true), timeout]);
  late.abort();
  return inTime;
}
