import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** What is the same in both lines of a run. */
export interface LedgerRun {
  readonly command: 'backup' | 'restore';
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
  start(file: string | undefined, run: LedgerRun): Promise<void>;
  /** Writes the line of the end, once, if there was a start. A run killed from outside has none. */
  end(exit: LedgerExit): void;
}

/**
 * A run's entries in a file that any number of runs share: `{"event":"start", time, command, pid, ppid, path, pd, outcome}` and
 * later the same with `"event":"end"` and `exit`. Each line is one append. Times are Unix milliseconds.
 *
 * A run that is killed writes no end, so a start says for itself whether the run is `alone` in its cluster: the kernel
 * keeps the count (Linux only; elsewhere it is always true).
 */
export function createLedger(): Ledger {
  let append: ((event: string, more: object) => void) | undefined;
  return {
    async start(file, run) {
      if (file === undefined) return;
      const alone = await isAlone(`${file}\n${run.pd}`);
      append = (event, more) =>
        appendFileSync(file, `${JSON.stringify({ event, time: Date.now(), ...run, ...more })}\n`);
      append('start', { alone });
    },
    end(exit) {
      append?.('end', { exit });
      append = undefined;
    },
  };
}

/**
 * Whether no other living process took this name. It is that of an abstract socket, which belongs to the process until
 * the very moment it ends, however it ends.
 */
async function isAlone(name: string): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const server = createServer().unref();
  server.listen(`\0demo-br:${createHash('sha256').update(name).digest('hex')}`);
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  }
}
