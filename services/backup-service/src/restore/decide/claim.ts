import { grantTask, isClaimable, renewTask } from '@tidemark/task/task';
import type { Reason } from '../../backup.ts';
import type { Restore, RestoreAttempt } from '../restore.ts';
import { LOST, type RestoreAnswer, type RestoreCommand, type RestoreDecision, type RestoreLimits } from './command.ts';
import { attemptOf, fail } from './vocabulary.ts';

type Claim = Extract<RestoreCommand, { kind: 'claim' }>;

/** Grants the task to whoever asks first; everybody else gets LOST and forgets. */
export function claim(restore: Restore, command: Claim, now: Date, limits: RestoreLimits): RestoreDecision {
  const again = renewTask(restore, { claim: command.claim }, now, limits);
  if (again) return { answer: answerOf(again, now), next: again };
  if (attemptOf(restore, command.claim) || !isClaimable(restore, now) || !suits(restore, command, now)) return LOST;
  if (command.misfit) return withoutBr(restore, command.misfit.nowhere, now);
  const { slotKey = restore.slotKey } = command;
  const granted = grantTask(restore, command, now, limits);
  const attempt: RestoreAttempt = {
    claim: command.claim,
    fence: granted.fence,
    worker: command.worker,
    startedAt: now,
    starting: null,
    wasPartial: restore.targetState === 'Partial',
    end: null,
  };
  const next: Restore = {
    ...granted,
    state: 'Running',
    slotKey,
    reason: null,
    attempts: [...restore.attempts, attempt],
  };
  return { answer: answerOf(next, now), next };
}

/** It is left to a worker with a `br` that fits; where there is none it does not keep target and source any longer. */
function withoutBr(restore: Restore, nowhere: string | undefined, now: Date): RestoreDecision {
  if (nowhere === undefined || restore.targetState !== 'Untouched') return LOST;
  const reason: Reason = { code: 'NO_FITTING_BR', message: `${nowhere} Nothing was changed.` };
  return { ...LOST, next: fail(restore, now, reason, false) };
}

/** The worker can do it, and it may be done: the source is held (R2), and the version of `br` is the one that began (R5). */
function suits(restore: Restore, { pool, brVersions, replaysLogs, slotKey }: Claim, now: Date): boolean {
  const { state, held, source, target, brVersion, deadline } = restore;
  return (
    state === 'Queued' &&
    held &&
    pool === target.pool &&
    (replaysLogs || source.point === undefined) &&
    slotKey !== undefined &&
    (brVersion === null ? brVersions.length > 0 : brVersions.includes(brVersion)) &&
    now < deadline
  );
}

function answerOf({ fence, brVersion, argv, attempts, deadline }: Restore, now: Date): RestoreAnswer {
  return {
    kind: 'grant',
    fence,
    brVersion,
    argv,
    wasPartial: attempts.at(-1)?.wasPartial ?? false,
    attempt: attempts.length,
    remainingMs: deadline.getTime() - now.getTime(),
  };
}
