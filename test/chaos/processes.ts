/** The processes of a run, as the kernel lists them (Linux). */
import { readFileSync } from 'node:fs';
import { livingProcesses } from '@tidemark/processes/stat';

export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Living processes whose command line holds this text; one that only waits to be collected does not live. */
export function processesWith(text: string): SeenProcess[] {
  if (process.platform !== 'linux') return [];
  return livingProcesses().flatMap(({ pid, parent }) => {
    const command = pid === process.pid ? undefined : commandOf(pid);
    return command?.includes(text) ? [{ pid, parent, command }] : [];
  });
}

/** Runs of `br` that write into some storages, each known by a text of their command lines. */
export function brsIn(storages: readonly string[]): SeenProcess[] {
  return storages.flatMap(processesWith).filter(({ command }) => command.includes('demo-br'));
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
