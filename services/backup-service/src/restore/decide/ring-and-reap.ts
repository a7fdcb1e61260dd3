import { reapTask, ringTask } from '@tidemark/task/task';
import { later, plus } from '@tidemark/task/time';
import type { Reason } from '../../backup.ts';
import type { Restore } from '../restore.ts';
import { OK, type RestoreDecision, type RestoreLimits } from './command.ts';
import { attemptOf, fail, finishCanceled, requeue, spoil, withAttempt } from './vocabulary.ts';

const DEADLINE: Reason = {
  code: 'DEADLINE',
  message: 'No worker ran the restore before its deadline, and it was given up.',
};
const LOST_WORKER: Reason = {
  code: 'LOST',
  message:
    'The worker that ran br was lost, and nobody saw how br ended. Look at the target before you resume or release it.',
};

const GOES_ON: Reason = {
  code: 'LOST',
  message:
    'The worker that ran br was lost. The restore goes on by itself at its checkpoint, once the br of that worker is certainly gone: nothing is to be done, and nobody may use or clean the target.',
};

const isOverdue = ({ state, deadline }: Restore, now: Date) => state === 'Queued' && deadline < now;

/** Rings for work that waits; the hold on the source is the service's own work. */
export function ring(restore: Restore, now: Date, limits: RestoreLimits): RestoreDecision {
  const rung = isOverdue(restore, now) ? undefined : ringTask(restore, now, limits);
  if (!rung) return OK;
  if (rung.task.kind === 'unhold') return { ...OK, next: rung, step: 'unhold' };
  return rung.held ? { ...OK, next: rung, ring: true } : { ...OK, next: rung, step: 'hold' };
}

/** Takes the task from an owner whose lease is long over, and ends what is past its deadline. */
export function reap(restore: Restore, now: Date, limits: RestoreLimits): RestoreDecision {
  if (isOverdue(restore, now)) return { ...OK, next: fail(restore, now, DEADLINE, true) };
  const reaped = reapTask(restore, now, limits);
  if (!reaped) return OK;
  const claim = restore.task?.claim;
  const started = attemptOf(restore, claim)?.starting !== null;
  const lost = withAttempt(reaped, claim, { outcome: 'lost', endedAt: now });
  return { ...OK, next: started ? afterLoss(lost, now, limits) : afterClaim(lost, now) };
}

/** Nothing was started, so that nothing counts. */
function afterClaim(restore: Restore, now: Date): Restore {
  return restore.state === 'Canceling' ? finishCanceled(restore, now) : requeue(restore, now);
}

/** A `br` may have done anything, and may even be at work until its guard or its host is gone (R6, R7, R9). */
function afterLoss(restore: Restore, now: Date, { lossRestMs }: RestoreLimits): Restore {
  const { strictLoss } = restore.target;
  const quietUntil = plus(now, lossRestMs);
  const lost: Restore = {
    ...restore,
    outcomeUnknown: true,
    lastBrEnd: now,
    quietUntil: restore.quietUntil ? later(restore.quietUntil, quietUntil) : quietUntil,
    needsConfirm: restore.needsConfirm || strictLoss,
  };
  if (lost.spoilt) return spoil(lost, now);
  if (lost.state === 'Canceling') return finishCanceled(lost, now);
  if (strictLoss || !lost.hasCheckpoint || lost.resumesLeft === 0) return fail(lost, now, LOST_WORKER, true);
  return { ...requeue({ ...lost, resumesLeft: lost.resumesLeft - 1 }, now, quietUntil), reason: GOES_ON };
}
