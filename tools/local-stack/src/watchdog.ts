/**
 * Ends what a stack leaves when it is killed.
 *
 * 1. The watchdog is a small process in a session of its own, which learns by the end of a pipe that the stack is gone:
 *    no signal and no pid is needed for that, and nothing can end the stack without it.
 * 2. It then claims the data folder as the next start would, which ends everything recorded there. Where the next start
 *    was quicker, it does nothing.
 * 3. A stack that has stopped in good order dismisses it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, 'watchdog-process.ts');
/** What dismisses it. */
export const DISMISSAL = 'stopped';

/** Starts the watchdog of a data folder that this process has claimed. Disposing it dismisses it. */
export function startWatchdog(dataDir: string): AsyncDisposable {
  const watchdog = spawn(process.execPath, [PROGRAM, dataDir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const gone = once(watchdog, 'exit').catch(() => undefined); // where it could not be started, the next start sweeps
  watchdog.stdin.on('error', () => undefined);
  watchdog.unref();
  return {
    async [Symbol.asyncDispose]() {
      watchdog.ref();
      watchdog.stdin.end(DISMISSAL);
      await gone;
    },
  };
}
