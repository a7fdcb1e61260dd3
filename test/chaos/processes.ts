/** The processes of a run, as the kernel lists them (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Living processes whose command line holds this text; one that only waits to be collected does not live. */
export function processesWith(text: string): SeenProcess[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const command = commandOf(pid);
    return command?.includes(text) ? [{ pid, parent: parentOf(pid), command }] : [];
  });
}

/** Runs of `br` that write below a folder. */
export function brsIn(folder: string): SeenProcess[] {
  return processesWith(folder).filter(({ command }) => command.includes('demo-br'));
}

/** Guards of workers that keep their state below a folder. */
export function guardsIn(folder: string): SeenProcess[] {
  return processesWith(folder).filter(({ command }) => command.includes('guard.mjs'));
}

function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() || undefined;
  } catch {
    return undefined; // it has just ended
  }
}

function parentOf(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
