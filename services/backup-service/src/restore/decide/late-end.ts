import { leftAsItWas } from '@tidemark/br-restore/end';
import type { Reason } from '../../backup.ts';
import { isActive, isOver, type KnownEnd, type Restore } from '../restore.ts';
import { afterEnd } from './after-end.ts';
import { OK, type RestoreCommand, type RestoreDecision, type RestoreLimits } from './command.ts';
import { attemptOf, known, spoil, whole, withAttempt } from './vocabulary.ts';

const HAD_FINISHED: Reason = {
  code: 'FINISHED_UNSEEN',
  message:
    'br had finished after all: the target held all that was backed up when its worker was lost. If nobody changed it since, release it as it is.',
};

/**
 * Takes down how the `br` of an attempt ended whose worker died, or whose task was taken from it (R10). Where the claim still holds the
 * task, that is its end.
 */
export function lateEnd(
  restore: Restore,
  { claim, end }: Extract<RestoreCommand, { kind: 'lateEnd' }>,
  now: Date,
  limits: RestoreLimits,
): RestoreDecision {
  if (!end) return OK;
  const reported = known(end, 'record', now);
  if (restore.task?.claim === claim) return { ...OK, next: afterEnd(restore, claim, reported, limits) };
  return takeLateEnd(restore, claim, reported);
}

/** The end of an attempt that was given up. */
export function takeLateEnd(restore: Restore, claim: string, end: KnownEnd): RestoreDecision {
  const attempt = attemptOf(restore, claim);
  if (!attempt || attempt.end) return OK;
  const number = restore.attempts.indexOf(attempt);
  const reported = withAttempt(restore, claim, { end });
  const resumed = restore.resumes.some(({ attempts }) => attempts > number);
  const next = isOver(restore) || resumed ? reported : afterLateEnd(reported, number, end);
  return { ...OK, next };
}

function afterLateEnd(restore: Restore, number: number, end: KnownEnd): Restore {
  const present = attemptOf(restore, restore.task?.claim);
  // A br that was started since is at work, and its end will tell.
  const works = isActive(restore) && present !== undefined && present.starting !== null;
  if (end.kind === 'dirty') {
    if (!isActive(restore)) return { ...restore, spoilt: true, resumable: false };
    return works ? { ...restore, spoilt: true } : spoil(restore, end.at, end.reason);
  }
  const touchedSince = restore.attempts
    .slice(number + 1)
    .some(({ starting, end: later }) => starting !== null && !(later && leftAsItWas(later.kind)));
  if (end.kind !== 'succeeded' || touchedSince) return restore;
  if (isActive(restore)) return works ? restore : whole(restore, end, end.at);
  const needsCleaning = restore.needsCleaning || end.checkpointLeft === true;
  return { ...restore, reason: HAD_FINISHED, resumable: false, needsCleaning };
}
