import { reapTask, requeued, ringTask } from '@tidemark/task/task';
import type { Backup, Reason } from '../backup.ts';
import { type Decision, type Limits, OK } from './command.ts';
import { whoGaveBack, withOldHandBacks } from './hand-back.ts';
import {
  attemptOf,
  endAttempt,
  finish,
  finishCanceled,
  mayHoldFiles,
  moveToNewPath,
  queued,
  removeTask,
  restingUntil,
} from './vocabulary.ts';

const DEADLINE: Reason = {
  code: 'DEADLINE',
  message: 'The backup did not finish before its deadline and was given up.',
};
const LOST_TOO_OFTEN: Reason = {
  code: 'LOST',
  message:
    'The workers that ran this backup were lost again and again; look into their logs before you start it once more.',
};

/** T14: where `br` was, a finished backup may lie that nobody reported; it is looked for, however late. */
const isGivenUp = (backup: Backup, now: Date) =>
  backup.state === 'Queued' && backup.deadline < now && !mayHoldFiles(backup, backup.path);

/** Rings for work that waits (T2): the next ring is written down before the message is published. */
export function ring(backup: Backup, now: Date, limits: Limits): Decision {
  const rung = isGivenUp(backup, now) ? undefined : ringTask(backup, now, limits);
  return rung ? { answer: { kind: 'ok' }, next: rung, ring: true } : OK;
}

/**
 * Lets a backup that waits be rung for now: a place that it waited for became free. Whoever comes first rings; whoever
 * comes late, or to a backup that may not be claimed yet, changes nothing.
 */
export function nudge(backup: Backup, now: Date): Decision {
  const { state, task } = backup;
  if (state !== 'Queued' || !task || task.notBefore > now || task.ringAt <= now || isGivenUp(backup, now)) return OK;
  return { answer: { kind: 'ok' }, next: { ...backup, task: { ...task, ringAt: now } } };
}

/**
 * Lets a task that failed, or that workers gave back, be tried at once: what stood in its way may have been put right, so
 * that what was said of it no longer counts. Nothing is removed before its time for that (T11).
 */
export function retry(backup: Backup, now: Date): Decision {
  const { task, leftovers, handBacks = [] } = backup;
  const failed = handBacks.length > 0 || (task?.kind === 'remove' && task.tries > 0);
  if (!task || task.claim !== undefined || !failed || task.notBefore <= now || isGivenUp(backup, now)) return OK;
  const again = task.kind === 'remove' ? removeTask(leftovers, task) : requeued(task, now);
  if (!again || again.notBefore >= task.notBefore) return OK;
  return { answer: { kind: 'ok' }, next: { ...withOldHandBacks(backup), task: again } };
}

/** Takes a task from an owner whose lease is long over, and ends what is past its deadline and has nothing to look for. */
export function reap(backup: Backup, now: Date, limits: Limits): Decision {
  const { task, state } = backup;
  const done = (next: Backup): Decision => ({ answer: { kind: 'ok' }, next });
  if (isGivenUp(backup, now)) {
    const detail = whoGaveBack(backup);
    const reason: Reason = detail === '' ? DEADLINE : { ...DEADLINE, detail };
    return done(finish(backup, 'Failed', now, reason, limits.quietMs));
  }
  const reaped = reapTask(backup, now, limits, restingUntil(task));
  if (!task || !reaped) return OK;
  if (task.kind === 'remove') return done(reaped);

  const attempt = attemptOf(backup, task.claim);
  const unlocked = attempt?.hasLock === false;
  const ended = endAttempt(reaped, task.claim, 'lost', now);
  if (state === 'Canceling')
    return done(finishCanceled(ended, now, unlocked ? limits.unlockedQuietMs : limits.quietMs));

  // T14: only a loss that may have cost a run counts, or one of a claim that was only to look.
  const counts = task.started || attempt?.mayRun === false;
  const counted = { ...ended, losses: ended.losses + (counts ? 1 : 0) };
  if (counted.losses > limits.lossLimit) return done(finish(counted, 'Failed', now, LOST_TOO_OFTEN, limits.quietMs));
  // T13: without a lock nothing but a new path keeps a br that still lives apart from the next one.
  const apart = task.started && unlocked ? moveToNewPath(counted, now, limits.unlockedQuietMs) : counted;
  return done(queued(apart));
}
