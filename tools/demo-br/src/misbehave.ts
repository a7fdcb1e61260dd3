import { setTimeout as pause } from 'node:timers/promises';
import { killAncestor } from './ancestor.ts';
import { BrError } from './br-error.ts';
import type { Ledger } from './ledger.ts';
import type { Log } from './log.ts';
import type { Outcome } from './outcome.ts';
import { chatter, closePipes, flood, leaveChild, makeNoise, missStore, printLongLine } from './stress.ts';

/** What a run offers to whatever it is to do wrong. */
export interface MisbehaveContext {
  readonly ledger: Ledger;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Does what an outcome demands in the middle of the work; returns if the run goes on. */
export async function misbehave(outcome: Outcome, { ledger, log, signal }: MisbehaveContext): Promise<void> {
  switch (outcome.kind) {
    case 'fail':
      // A named one comes at its own stage.
      if (outcome.name !== undefined) return;
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
      if (outcome.thenHangs) await hang(signal);
      break;
    case 'hang':
      await hang(signal);
      break;
    case 'tikv-silent':
      for (;;) await pause(3_600_000);
    case 'store-away':
      await missStore(log, outcome.awaySeconds, signal);
      break;
    case 'stall':
      await chatter(log, signal);
      break;
    case 'flood':
      await flood(log, outcome.megabytes, signal);
      break;
    case 'long-line':
      printLongLine(log, outcome.megabytes);
      break;
    case 'close-pipes':
      closePipes();
      break;
    case 'fork':
      leaveChild(outcome.childSeconds);
      break;
    case 'noisy':
      makeNoise(log);
      break;
    default:
  }
}

/** Stands still until it is told to stop. */
async function hang(signal: AbortSignal): Promise<never> {
  for (;;) await pause(3_600_000, undefined, { signal });
}
