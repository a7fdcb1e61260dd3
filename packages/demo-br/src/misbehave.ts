import { setTimeout as pause } from 'node:timers/promises';
import { killAncestor } from './ancestor.ts';
import { BrError } from './br-error.ts';
import type { Ledger } from './ledger.ts';
import type { Outcome } from './outcome.ts';

/** Does what an outcome demands in the middle of the work; returns if the run goes on. */
export async function misbehave(outcome: Outcome, { ledger, signal }: { ledger: Ledger; signal: AbortSignal }) {
  switch (outcome.kind) {
    case 'fail':
      throw new BrError(outcome.message || 'demo-br was told to fail', outcome.code, outcome.exitCode);
    case 'panic':
      ledger.end(2);
      process.stderr.write(`panic: ${outcome.message || 'demo-br was told to panic'}\n\ngoroutine 1 [running]:\n`);
      process.exit(2);
      break;
    case 'crash':
      ledger.end('SIGKILL');
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'kill-parent':
      killAncestor(outcome.levels);
      break;
    case 'hang':
      for (;;) await pause(3_600_000, undefined, { signal });
    default:
  }
}
