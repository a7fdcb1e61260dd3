import { renewTask } from '@tidemark/task/task';
import type { Restore } from '../restore.ts';
import { LOST, type RestoreCommand, type RestoreDecision, type RestoreLimits } from './command.ts';
import { attemptOf, withAttempt } from './vocabulary.ts';

type Renew = Extract<RestoreCommand, { kind: 'renew' }>;

/** Keeps the lease, takes the progress down, and lets `br` be started unless a cancel came first (R4, R5). */
export function renew(restore: Restore, command: Renew, now: Date, limits: RestoreLimits): RestoreDecision {
  const leased = renewTask(restore, command, now, limits);
  if (!leased) return LOST;
  const { starting, progress } = command;
  const held: Restore = progress ? { ...leased, progress } : leased;
  const mayStart =
    starting !== undefined &&
    restore.state === 'Running' &&
    (restore.brVersion === null || restore.brVersion === starting.brVersion);
  return {
    answer: { kind: 'held', state: restore.state, mayStart },
    next: starting && mayStart ? withStarting(held, command.claim, starting, now) : held,
  };
}

/** From now on `br` may be at work: the target is Partial before it is touched (R4). */
function withStarting(
  restore: Restore,
  claim: string,
  { hasCheckpoint, argv, ...starting }: NonNullable<Renew['starting']>,
  now: Date,
): Restore {
  if (attemptOf(restore, claim)?.starting) return restore;
  return {
    ...withAttempt(restore, claim, { starting: { ...starting, at: now } }),
    task: restore.task && { ...restore.task, started: true },
    targetState: 'Partial',
    brVersion: starting.brVersion,
    hasCheckpoint,
    argv: restore.argv ?? argv,
  };
}
