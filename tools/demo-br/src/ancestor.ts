import { execFileSync } from 'node:child_process';
import { readStat } from '@tidemark/processes/stat';
import { BrError } from './br-error.ts';

/** The parent of a process, from /proc or, where there is none (macOS), by `ps`; undefined if it is gone. */
function parentOf(pid: number): number | undefined {
  try {
    const parent =
      process.platform === 'linux'
        ? readStat(pid)?.parent
        : execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return Number(parent) > 0 ? Number(parent) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Kills an ancestor of this process with SIGKILL (outcome `kill-parent`). Never process 1: a run whose parent is dead
 * already belongs to it.
 *
 * @param levels 1 for the direct parent, 2 for its parent, and so on
 * @returns the process killed
 * @throws BrError if there is none
 */
export function killAncestor(levels: number): number {
  let pid: number | undefined = process.ppid;
  for (let level = 1; level < levels && pid !== undefined && pid > 1; level += 1) pid = parentOf(pid);
  if (pid === undefined || pid <= 1) throw new BrError(`demo-br: there is no ancestor ${levels} levels up to kill`);
  process.kill(pid, 'SIGKILL');
  return pid;
}
