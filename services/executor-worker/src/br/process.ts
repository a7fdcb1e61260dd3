/**
 * A `br` process and its guard, as one thing that starts, prints, and is gone.
 *
 * P1. `exited` resolves only when nobody is left in the process group: until then files may still be written.
 * P2. Both pipes are always read; what reads them must not throw.
 * P3. `stop` is TERM to `br` alone, grace, TERM, grace, KILL to the group; it can be called again and again.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export interface BrOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment of `br`: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Without a sign of life for this long the guard ends `br`. */
  readonly guardMs: number;
  readonly killMs: number;
  readonly graceMs: number;
  onStdout(chunk: Buffer): void;
  onStderr(chunk: Buffer): void;
  /** `br` was told to stop and still runs after its grace; it is told again, and killed, once this has resolved. */
  onHang?(): Promise<void>;
}

/** How a run ended. */
export interface BrExit {
  /** Undefined when `br` was killed, or when the guard was before it could tell. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  /** The guard ended it: no renewal was answered for too long. */
  readonly silenced: boolean;
  /** The program could not be started at all. */
  readonly error: string | undefined;
}

export interface BrProcess {
  /** Of the process group, which is the guard's pid. */
  readonly group: number;
  readonly exited: Promise<BrExit>;
  /** Tells the guard that a renewal was answered. */
  keepAlive(): void;
  /** Ends `br`, gently first; resolves when `exited` has. */
  stop(): Promise<BrExit>;
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

/** Starts `br` behind a guard. */
export function startBr(options: BrOptions): BrProcess {
  const { program, args, env, cwd, guardMs, killMs, graceMs } = options;
  const guard = spawn(process.execPath, [GUARD, String(guardMs), String(killMs), SETPRIV, program, ...args], {
    cwd,
    env: { ...env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const group = guard.pid ?? 0;
  const status: GuardStatus = {};
  const told = readStatus(guard, status);
  guard.stdout?.on('data', (chunk: Buffer) => options.onStdout(chunk));
  guard.stderr?.on('data', (chunk: Buffer) => options.onStderr(chunk));
  guard.stdin?.on('error', () => undefined); // the guard is gone, which `exited` tells
  const exited = waitForEnd(guard, group, killMs).then(
    (): BrExit => ({
      code: status.code ?? undefined,
      signal: status.signal ?? undefined,
      silenced: status.ending !== undefined,
      error: status.error,
    }),
  );

  const stop = async (): Promise<void> => {
    await Promise.race([told, exited]); // a TERM before br is there would be lost on the guard
    for (let step = 1; step <= 2; step += 1) {
      signalProcess(status.pid ?? -group, 'SIGTERM');
      if (await within(exited, graceMs)) return;
      if (step === 1) await options.onHang?.();
    }
    signalProcess(-group, 'SIGKILL');
  };
  let stopping: Promise<void> | undefined;
  return {
    group,
    exited,
    keepAlive: () => void guard.stdin?.write('.'),
    async stop() {
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

async function waitForEnd(guard: ChildProcess, group: number, killMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  guard.once('error', () => resolve());
  guard.once('exit', () => resolve());
  await promise;
  // What br started may outlive it for a moment; what does not go by itself is killed.
  for (const startedAt = performance.now(); group > 0 && isGroupAlive(group); await sleep(POLL_MS))
    if (performance.now() - startedAt > killMs) signalProcess(-group, 'SIGKILL');
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

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has gone already.
  }
}

/** Whether any process of a group still runs; one that is only waiting to be collected does not. */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    const fields = statFields(pid);
    return fields?.[2] === String(group) && fields[0] !== 'Z' && fields[0] !== 'X';
  });
}

/** Kills a whole group. */
export function killGroup(group: number): void {
  signalProcess(-group, 'SIGKILL');
}

/** The fields of /proc/<pid>/stat from the third on, or nothing when there is no such process. */
function statFields(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // it has just ended
  }
}

/**
 * When a process started, in the words of this system; with its pid this names it for good. Undefined: there is none,
 * or one that has ended and is only waiting to be collected.
 */
export function processStart(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const fields = statFields(String(pid));
    return fields?.[0] === 'Z' || fields?.[0] === 'X' ? undefined : fields?.[19];
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined; // ps fails when there is no such process
  }
}

const VERSION_DEADLINE_MS = 15_000;

/**
 * What `<program> -V` says of its release, such as "v8.5.0".
 *
 * @throws Error when it cannot be run or names no release
 */
export async function readBrVersion(program: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['-V'], {
    env: { ...env },
    timeout: VERSION_DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  const version = /^Release Version:\s*(\S+)/m.exec(stdout)?.[1];
  if (!version) throw new Error(`${program} -V names no release version`);
  return version;
}
