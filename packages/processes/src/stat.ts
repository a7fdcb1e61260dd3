import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel says of a process (Linux): some fields of proc_pid_stat(5). */
export interface ProcessStat {
  readonly pid: number;
  /** A letter; see `isOver`. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** When it started, in ticks since the boot. */
  readonly startTicks: string;
}

const STATE = 0;
const PARENT = 1;
const GROUP = 2;
const START = 19;

/** Undefined where there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses and may itself contain blanks and parentheses.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state = '', startTicks = ''] = [fields[STATE], fields[START]];
    return { pid, state, parent: Number(fields[PARENT]), group: Number(fields[GROUP]), startTicks };
  } catch {
    return undefined; // it has just ended
  }
}

/** Whether a process has ended and only waits to be collected by its parent. */
export function isOver({ state }: ProcessStat): boolean {
  return state === 'Z' || state === 'X';
}

/** All processes that have not ended (Linux). */
export function livingProcesses(): ProcessStat[] {
  return readdirSync('/proc').flatMap((name) => {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    return stat && !isOver(stat) ? [stat] : [];
  });
}
