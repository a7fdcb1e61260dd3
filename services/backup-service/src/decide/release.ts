import { type Backup, isActive } from '../backup.ts';
import { type Command, type Decision, type Limits, LOST, OK } from './command.ts';
import {
  attemptOf,
  endAttempt,
  finishCanceled,
  isHeldBy,
  plus,
  removeTask,
  requeue,
  unowned,
  withLeftover,
} from './vocabulary.ts';

/** Gives a task back uncounted: a worker that drains, or one that never learned whether its claim was granted. */
export function release(
  backup: Backup,
  { claim, fence }: Extract<Command, { kind: 'release' }>,
  now: Date,
  limits: Limits,
): Decision {
  if (!isHeldBy(backup, claim, fence)) return attemptOf(backup, claim)?.outcome === 'released' ? OK : LOST;
  const done = (next: Backup): Decision => ({ answer: { kind: 'ok' }, next });
  if (backup.task.kind === 'remove') return done({ ...backup, task: unowned(backup.task, now, backup.task.notBefore) });
  const ended = endAttempt(backup, claim, 'released', now);
  return done(backup.state === 'Canceling' ? finishCanceled(ended, now, limits.quietMs) : requeue(ended, now, 0));
}

/** Takes down that a `br` wrote into a path although its task was lost (T4), unless the path is still wanted. */
export function stray(
  backup: Backup,
  { claim, fence, path }: Extract<Command, { kind: 'stray' }>,
  now: Date,
  limits: Limits,
): Decision {
  if (isHeldBy(backup, claim, fence)) return OK; // the reap counts it
  if (!backup.attempts.some((attempt) => attempt.path === path)) return OK;
  const active = isActive(backup);
  const good = backup.state === 'Succeeded' && backup.deletion.state === 'None';
  if (path === backup.path && (active || good)) return OK;
  const leftovers = withLeftover(backup.leftovers, path, plus(now, limits.quietMs));
  const task = active || backup.task ? backup.task : removeTask(leftovers);
  return { answer: { kind: 'ok' }, next: { ...backup, leftovers, task } };
}
