import { isHeldBy } from '@tidemark/task/task';
import type { Restore } from '../restore.ts';
import { afterEnd } from './after-end.ts';
import { LOST, OK, type RestoreCommand, type RestoreDecision, type RestoreLimits, refused } from './command.ts';
import { takeLateEnd } from './late-end.ts';
import { attemptOf, known } from './vocabulary.ts';

/** Ends a claim; a repeat of the same end is answered as the first time, and an end that comes after a loss is kept (R10). */
export function complete(
  restore: Restore,
  command: Extract<RestoreCommand, { kind: 'complete' }>,
  now: Date,
  limits: RestoreLimits,
): RestoreDecision {
  const { claim, end } = command;
  const reported = known(end, 'worker', now);
  if (!isHeldBy(restore, command)) {
    const { outcome, end: before } = attemptOf(restore, claim) ?? {};
    if (outcome === 'lost') return { ...takeLateEnd(restore, claim, reported), ...LOST };
    return outcome === 'ended' && before?.kind === end.kind ? OK : LOST;
  }
  // A worker that was forbidden to start without a cancel gives the task back.
  if (end.kind === 'none' && restore.state !== 'Canceling') return refused('wrongPair');
  return { ...OK, next: afterEnd(restore, claim, reported, limits) };
}
