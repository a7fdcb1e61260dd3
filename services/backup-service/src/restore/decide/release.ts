import { leftAsItWas } from '@tidemark/br-restore/end';
import { isHeldBy } from '@tidemark/task/task';
import type { Reason } from '../../backup.ts';
import type { Restore } from '../restore.ts';
import { LOST, OK, type RestoreCommand, type RestoreDecision, type RestoreLimits } from './command.ts';
import { takeLateEnd } from './late-end.ts';
import { attemptOf, fail, finishCanceled, judge, known, requeue, restedFrom, spoil } from './vocabulary.ts';

const STOPPED: Reason = {
  code: 'STOPPED',
  message: 'Its worker was stopped, and this br keeps no checkpoint at which another one could go on.',
};

/** Gives the task back uncounted: a worker that drains, or one that never learned whether its claim was granted. */
export function release(
  restore: Restore,
  command: Extract<RestoreCommand, { kind: 'release' }>,
  now: Date,
  limits: RestoreLimits,
): RestoreDecision {
  const { claim, fence, end } = command;
  const reported = known(end, 'worker', now);
  const attempt = attemptOf(restore, claim);
  if (!isHeldBy(restore, command) || (fence === undefined && attempt?.starting)) {
    if (attempt?.outcome === 'lost') return { ...takeLateEnd(restore, claim, reported), ...LOST };
    return attempt?.outcome === 'released' ? OK : LOST;
  }
  return { ...OK, next: afterRelease(judge(restore, claim, reported, 'released'), command, now, limits) };
}

function afterRelease(
  restore: Restore,
  { end }: Extract<RestoreCommand, { kind: 'release' }>,
  now: Date,
  limits: RestoreLimits,
): Restore {
  if (restore.spoilt) return spoil(restore, now);
  if (restore.state === 'Canceling') return finishCanceled(restore, now);
  if (leftAsItWas(end.kind)) return requeue(restore, now);
  return restore.hasCheckpoint
    ? requeue(restore, now, restedFrom(restore, now, limits))
    : fail(restore, now, STOPPED, false);
}
