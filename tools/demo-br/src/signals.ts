import type { Dialect } from './dialect.ts';
import type { Log } from './log.ts';
import { printLine } from './log.ts';

// 1. The first TERM, INT, HUP or QUIT aborts the run; whatever the run then does is its business.
// 2. The second of any of them ends the process at once, with exit code 1 and without clean-up (br-contract 4).
// 3. A deaf process (outcome `ignore-term`) does neither, and prints nothing.

const GO_NAMES = { SIGTERM: 'terminated', SIGINT: 'interrupt', SIGHUP: 'hangup', SIGQUIT: 'quit' } as const;

export interface Signals {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** From now on a signal is logged here too. */
  logTo(log: Log): void;
  /** From now on signals do nothing. */
  ignore(): void;
}

/**
 * Listens for signals. Before this, the process dies of them, as the real one does in its first 30 ms.
 *
 * @param beforeExit called right before the exit of rule 2
 */
export function listenForSignals(dialect: Dialect, beforeExit: (exit: number) => void): Signals {
  const controller = new AbortController();
  let log: Log | undefined;
  let deaf = false;

  for (const [name, goName] of Object.entries(GO_NAMES)) {
    process.on(name, () => {
      if (deaf) return;
      if (controller.signal.aborted) {
        beforeExit(1);
        process.exit(1);
      }
      printBanner(dialect, goName);
      log?.warn('misc.go:209', 'received signal to exit', [['signal', goName]]);
      const shutting = dialect.bannerOfTwoLines ? 'shutting' : 'shuting';
      process.stderr.write(`gracefully ${shutting} down, press ^C again to force exit\n`);
      controller.abort();
    });
  }
  return {
    signal: controller.signal,
    logTo(target) {
      log = target;
    },
    ignore() {
      deaf = true;
    },
  };
}

function printBanner(dialect: Dialect, goName: string): void {
  if (!dialect.bannerOfTwoLines) {
    printLine(`\nGot signal [${goName}] to exit.`);
    return;
  }
  printLine(`\n========[ Got signal ${goName} to exit. ]========`);
  printLine('========[ Required Goroutine Dump = false ]========');
}

/**
 * Makes the process die of SIGPIPE when whoever reads its output is gone, as a Go program does at its next line:
 * nothing is cleaned up. Node.js ignores SIGPIPE; a listener that is added and taken away puts the default back.
 */
export function dieOfBrokenPipe(beforeDeath: (exit: 'SIGPIPE') => void): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {
      beforeDeath('SIGPIPE');
      const listener = () => undefined;
      process.on('SIGPIPE', listener);
      process.off('SIGPIPE', listener);
      process.kill(process.pid, 'SIGPIPE');
    });
  }
}
