/**
 * A child process in a process group of its own.
 *
 * 1. Every child leads a new session, so Ctrl-C and a closed terminal reach only us, and we decide the order.
 * 2. Its run record exists from the spawn until its whole process group is gone.
 * 3. Signals go to the leader alone: what else is in its group (the guard of a `br`) ends by itself when the leader is
 *    gone, and has its own things to end. Only what lingers too long is killed.
 * 4. When this process exits, the children that still run are killed. When it is killed, `sweep.ts` finds them.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { untilGroupGone } from '@tidemark/processes/group';
import { openLog } from './log-file.ts';
import { removeRunRecord, writeRunRecord } from './run-record.ts';

export interface ChildOptions {
  /** Names the log and the run record; unique within a data folder. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** `logs/<name>.log` and `run/<name>.json` are below it. */
  readonly dataDir: string;
}

/** How a child ended; `error` when it could not even be started. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly error?: Error;
}

export interface Child {
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended; never rejects. */
  readonly exited: Promise<ChildExit>;
  readonly running: boolean;
  /** Sends a signal to the process alone; nothing happens when it has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Ends the process (TERM, and KILL after `graceMs`), and resolves when its whole group is gone. Can be repeated. */
  stop(graceMs: number): Promise<ChildExit>;
}

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** What is left of a group so long after its leader is killed; what cannot be is left behind. */
export const LINGER = { killAfterMs: 10_000, giveUpAfterMs: 20_000 };

/**
 * Starts a child whose output goes to its log.
 *
 * @throws the reason why the program could not be executed
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const logFile = logPath(options.dataDir, options.name);
  const log = openLog(logFile);
  let spawned: ChildProcess;
  try {
    spawned = spawn(options.program, options.args, {
      cwd: options.cwd ?? options.dataDir,
      env: options.env,
      detached: true,
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
  const { pid } = spawned;
  if (pid === undefined) {
    const [error] = await once(spawned, 'error');
    throw error;
  }
  writeRunRecord(options.dataDir, options.name, pid);
  return watchChild(spawned, pid, logFile, () => removeRunRecord(options.dataDir, options.name, pid));
}

/** Where the log of a process lies below a data folder. */
export function logPath(dataDir: string, name: string): string {
  return join(dataDir, 'logs', `${name}.log`);
}

function watchChild(spawned: ChildProcess, pid: number, logFile: string, forget: () => void): Child {
  let running = true;
  living.add(spawned);
  const exited = new Promise<ChildExit>((resolve) => {
    spawned.once('exit', (code, signal) => {
      running = false;
      living.delete(spawned);
      resolve({ code, signal });
    });
  });
  const gone = exited.then(async (exit) => {
    await untilGroupGone(pid, LINGER);
    forget();
    return exit;
  });
  return {
    pid,
    logFile,
    exited,
    get running() {
      return running;
    },
    kill(signal) {
      if (running) spawned.kill(signal);
    },
    async stop(graceMs) {
      if (running) {
        spawned.kill('SIGTERM');
        // A process that was frozen must wake up to hear it.
        spawned.kill('SIGCONT');
        const timer = setTimeout(() => spawned.kill('SIGKILL'), graceMs);
        await exited;
        clearTimeout(timer);
      }
      return gone;
    },
  };
}
