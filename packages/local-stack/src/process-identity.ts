import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/**
 * What tells one process from every other one, also after its pid has been given to somebody else.
 * A pid alone is never enough to kill: see `sweep.ts`.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** When the process started, in the words of the operating system; equal only for the same process. */
  readonly startedAt: string;
}

/** The identity of the living process `pid`, or `undefined` if there is none (a zombie is not alive). */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
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
 * Whether a process group that exists has members that are more than zombies: in a container whose first process
 * reaps nobody, zombies keep a group for ever. Only Linux tells; elsewhere the answer is yes.
 */
export function hasLivingMembers(group: number): boolean {
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      const stat = linuxStat(Number(pid));
      return stat !== undefined && stat.group === group && !isDead(stat.state);
    });
}

/** Ticks since boot, with the boot's own id: ticks repeat after a reboot. */
function linuxStartTime(pid: number): string | undefined {
  const stat = linuxStat(pid);
  if (stat === undefined || isDead(stat.state)) return undefined;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${stat.startTicks}`;
}

/** Fields 3, 5 and 22 of proc_pid_stat(5). */
function linuxStat(pid: number): { state: string; group: number; startTicks: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may itself contain blanks and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', group: Number(fields[2]), startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

function isDead(state: string): boolean {
  return state === 'Z' || state === 'X';
}

function psStartTime(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    const [state, ...startedAt] = line.split(/\s+/);
    return state === undefined || state.startsWith('Z') ? undefined : startedAt.join(' ');
  } catch {
    return undefined;
  }
}
