import { appendFileSync } from 'node:fs';

/** What is the same in both lines of a run. */
export interface LedgerRun {
  readonly pid: number;
  readonly ppid: number;
  /** The backup's folder. */
  readonly path: string;
  /** The cluster's PD addresses, joined by commas. */
  readonly pd: string;
  readonly outcome: string;
}

/** How a run ended: its exit code, or the signal that it was about to die of. */
export type LedgerExit = number | 'SIGKILL' | 'SIGPIPE';

export interface Ledger {
  /** Writes the line of the start; without a file, none is written. */
  start(file: string | undefined, run: LedgerRun): void;
  /** Writes the line of the end, once, if there was a start. A run killed from outside has none. */
  end(exit: LedgerExit): void;
}

/**
 * A run's entries in a file that any number of runs share: `{"event":"start", time, pid, ppid, path, pd, outcome}` and
 * later the same with `"event":"end"` and `exit`. Each line is one append, so tests can prove from it that no two ran
 * at once in a path or a cluster. Times are Unix milliseconds.
 */
export function createLedger(): Ledger {
  let append: ((event: string, more: object) => void) | undefined;
  return {
    start(file, run) {
      if (file === undefined) return;
      append = (event, more) =>
        appendFileSync(file, `${JSON.stringify({ event, time: Date.now(), ...run, ...more })}\n`);
      append('start', {});
    },
    end(exit) {
      append?.('end', { exit });
      append = undefined;
    },
  };
}
