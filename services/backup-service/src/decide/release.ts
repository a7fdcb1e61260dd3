import { isHeldBy, releaseTask } from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import { type Backup, isActive, isTrashed } from '../backup.ts';
import { type Command, type Decision, type Limits, LOST, OK } from './command.ts';
import { attemptOf, endAttempt, finishCanceled, queued, removeTask, restingUntil, withLeftover } from './vocabulary.ts';

/** Gives a task back uncounted: a worker that drains, or one that never learned whether its claim was granted. */
export function release(
  backup: Backup,
  command: Extract<Command, { kind: 'release' }>,
  now: Date,
  limits: Limits,
): Decision {
  const { claim } = command;
  const released = releaseTask(backup, command, now, restingUntil(backup.task));
  if (!released) return attemptOf(backup, claim)?.outcome === 'released' ? OK : LOST;
  const done = (next: Backup): Decision => ({ answer: { kind: 'ok' }, next });
  if (released.task.kind === 'remove') return done(released);
  const ended = endAttempt(released, claim, 'released', now);
  return done(backup.state === 'Canceling' ? finishCanceled(ended, now, limits.quietMs) : queued(ended));
}

/** Takes down that a `br` wrote into a path although its task was lost (T4), unless the path is still wanted. */
export function stray(
  backup: Backup,
  { claim, fence, path }: Extract<Command, { kind: 'stray' }>,
  now: Date,
  limits: Limits,
): Decision {
  if (isHeldBy(backup, { claim, fence })) return OK; // the reap counts it
  if (!backup.attempts.some((attempt) => attempt.path === path) || backup.deletion.state === 'Forgotten') return OK;
  const active = isActive(backup);
  const good = backup.state === 'Succeeded' && (backup.deletion.state === 'None' || isTrashed(backup));
  if (path === backup.path && (active || good)) return OK;
  const leftovers = withLeftover(backup.leftovers, path, plus(now, limits.quietMs));
  const task = active || backup.task ? backup.task : removeTask(leftovers);
  return { answer: { kind: 'ok' }, next: { ...backup, leftovers, task } };
}
