/**
 * Process groups, each named by the pid of its leader.
 *
 * 0 and 1 name none: by them the system means the caller's own group and every process there is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { livingProcesses } from './stat.ts';

const FIRST_GROUP = 2;

/** Sends a signal to every process of a group that may be signaled; nothing happens where there is none. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  if (group >= FIRST_GROUP) signalProcess(-group, signal);
}

/** Sends a signal to a process; nothing happens where it has ended. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/**
 * Whether any process of a group still runs. One that has ended and only waits to be collected does not: in a container
 * whose first process collects nobody, such a process keeps a group for ever.
 */
export function isGroupAlive(group: number): boolean {
  if (group < FIRST_GROUP) return false;
  try {
    process.kill(-group, 0);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ESRCH') return false;
    // Linux: processes that we may not signal, so they are there. macOS: of the group only those are left that wait to be collected.
    if (code === 'EPERM' && process.platform !== 'linux') return false;
  }
  return process.platform !== 'linux' || livingProcesses().some((one) => one.group === group);
}

/** How long is waited for a group. */
export interface Patience {
  /** What is left of the group after so long is killed. */
  readonly killAfterMs: number;
  /** For ever when left out. */
  readonly giveUpAfterMs?: number;
  readonly pollMs?: number;
}

/** Waits until nobody is left in a group, and kills what lingers. Answers whether it is gone. */
export async function untilGroupGone(
  group: number,
  { killAfterMs, giveUpAfterMs = Number.POSITIVE_INFINITY, pollMs = 50 }: Patience,
): Promise<boolean> {
  for (const startedAt = performance.now(); isGroupAlive(group); await sleep(pollMs)) {
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > giveUpAfterMs) return false;
    if (waitedMs > killAfterMs) signalGroup(group, 'SIGKILL');
  }
  return true;
}
