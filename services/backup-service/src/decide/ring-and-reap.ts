import type { Backup, Reason, Task } from '../backup.ts';
import { type Decision, type Limits, OK } from './command.ts';
import {
  attemptOf,
  endAttempt,
  finish,
  finishCanceled,
  isReapable,
  moveToNewPath,
  plus,
  requeue,
  unowned,
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

const isOverdue = ({ state, deadline }: Backup, now: Date) => state === 'Queued' && deadline < now;

/** Rings for work that waits (T2): the next ring is written down before the message is published. */
export function ring(backup: Backup, now: Date, limits: Limits): Decision {
  const { task } = backup;
  if (!task || task.ringAt > now || isReapable(task, now, limits) || isOverdue(backup, now)) return OK;
  const rung: Task = { ...task, ringAt: plus(now, limits.ringMs), rings: task.rings + 1 };
  return { answer: { kind: 'ok' }, next: { ...backup, task: rung }, ring: true };
}

/**
 * Lets a backup that waits be rung for now: a place that it waited for became free. Whoever comes first rings; whoever
 * comes late, or to a backup that may not be claimed yet, changes nothing.
 */
export function nudge(backup: Backup, now: Date): Decision {
  const { state, task } = backup;
  if (state !== 'Queued' || !task || task.notBefore > now || task.ringAt <= now || isOverdue(backup, now)) return OK;
  return { answer: { kind: 'ok' }, next: { ...backup, task: { ...task, ringAt: now } } };
}

/** Takes a task from an owner whose lease is long over, and ends what is past its deadline. */
export function reap(backup: Backup, now: Date, limits: Limits): Decision {
  const { task, state } = backup;
  const done = (next: Backup): Decision => ({ answer: { kind: 'ok' }, next });
  if (isOverdue(backup, now)) return done(finish(backup, 'Failed', now, DEADLINE, limits.quietMs));
  if (!task || !isReapable(task, now, limits)) return OK;
  if (task.kind === 'remove') return done({ ...backup, task: unowned(task, now, task.notBefore) });

  const attempt = attemptOf(backup, task.claim);
  const unlocked = attempt?.hasLock === false;
  const ended = endAttempt(backup, task.claim, 'lost', now);
  if (state === 'Canceling')
    return done(finishCanceled(ended, now, unlocked ? limits.unlockedQuietMs : limits.quietMs));

  // T14: only a loss that may have cost a run counts, or one of a claim that was only to look.
  const counts = task.started || attempt?.mayRun === false;
  const counted = { ...ended, losses: ended.losses + (counts ? 1 : 0) };
  if (counted.losses > limits.lossLimit) return done(finish(counted, 'Failed', now, LOST_TOO_OFTEN, limits.quietMs));
  // T13: without a lock nothing but a new path keeps a br that still lives apart from the next one.
  const apart = task.started && unlocked ? moveToNewPath(counted, now, limits.unlockedQuietMs) : counted;
  return done(requeue(apart, now, 0));
}
