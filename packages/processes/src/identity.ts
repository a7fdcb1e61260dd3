import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isOver, readStat } from './stat.ts';

/**
 * What tells one process from every other one, also after its pid has been given to somebody else.
 * A pid alone is never enough to kill.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** When the process started, in the words of the operating system; equal only for the same process. */
  readonly startedAt: string;
}

/** The identity of the living process `pid`, or `undefined` if there is none (a zombie is not alive). */
export function identify(pid: number): ProcessIdentity | undefined {
  const start = processStart(pid);
  if (start === undefined) return undefined;
  // Ticks since the boot repeat after the next one.
  return { pid, startedAt: process.platform === 'linux' ? `${bootId()}:${start}` : start };
}

/** The identity of this process. */
export function identifySelf(): ProcessIdentity {
  const identity = identify(process.pid);
  if (identity === undefined) throw new Error('this process cannot find its own start time');
  return identity;
}

/** Whether the process that was recorded is still the one that has its pid. */
export function isAlive(recorded: ProcessIdentity): boolean {
  return identify(recorded.pid)?.startedAt === recorded.startedAt;
}

/** Reads an identity out of JSON text; `undefined` when it is none (half written, or another program's file). */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    const { pid, startedAt } = JSON.parse(text) as Partial<ProcessIdentity>;
    return Number.isInteger(pid) && typeof startedAt === 'string' ? { pid: Number(pid), startedAt } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * When a process started, in the words of this system: with its pid this names it until the next boot. Undefined where
 * there is none, or one that has ended and only waits to be collected.
 */
export function processStart(pid: number): string | undefined {
  if (process.platform !== 'linux') return startByPs(pid);
  const stat = readStat(pid);
  return stat === undefined || isOver(stat) ? undefined : stat.startTicks;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function startByPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [state, ...startedAt] = line.split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : startedAt.join(' ');
  } catch {
    return undefined; // ps fails when there is no such process
  }
}
