import { leftAsItWas } from '@tidemark/br-restore/end';
import { later, plus } from '@tidemark/task/time';
import type { KnownEnd, Restore, RestoreAttempt } from '../restore.ts';
import type { RestoreLimits } from './command.ts';
import { attemptOf, fail, finishCanceled, judge, requeue, restedFrom, spoil, whole } from './vocabulary.ts';

/** What comes after the end of a `br` that was seen. */
export function afterEnd(restore: Restore, claim: string, end: KnownEnd, limits: RestoreLimits): Restore {
  const { at, kind, reason = null } = end;
  const attempt = attemptOf(restore, claim);
  const judged = judge(restore, claim, end, 'ended');
  if (restore.spoilt) return spoil(judged, at);
  if (kind === 'succeeded') return whole(judged, end, at);
  if (kind === 'dirty') return spoil(judged, at, end.reason);
  if (kind === 'notFresh') {
    const unseen = attempt?.wasPartial ? unseenSuccess(restore, attempt) : undefined;
    if (unseen) return whole(judged, unseen, at);
    // Whoever left data there may have finished, and removed the checkpoint (R9).
    const doubted = judged.targetState === 'Partial' ? { ...judged, outcomeUnknown: true } : judged;
    return restore.state === 'Canceling' ? finishCanceled(doubted, at, false) : fail(doubted, at, reason, false);
  }
  if (restore.state === 'Canceling') return finishCanceled(judged, at);
  if (kind === 'refused') return fail(judged, at, reason, true);
  if (kind === 'wait') return { ...requeue(judged, at, plus(at, end.waitMs ?? 0)), reason };
  return again(judged, end, limits);
}

/** After what may pass by itself; each time costs one of few. */
function again(restore: Restore, end: KnownEnd, limits: RestoreLimits): Restore {
  const { at, reason = null, afterChange, waitMs = 0 } = end;
  const goesOn = restore.targetState === 'Untouched' || restore.hasCheckpoint === true;
  if (afterChange || restore.resumesLeft === 0 || !goesOn) return fail(restore, at, reason, true);
  const notBefore = later(restedFrom(restore, at, limits), plus(at, waitMs));
  return { ...requeue({ ...restore, resumesLeft: restore.resumesLeft - 1 }, at, notBefore), reason };
}

/** A success of an earlier attempt that was told late, and counts: nobody touched the target, nor resumed, since (R10). */
function unseenSuccess({ attempts, resumes }: Restore, present: RestoreAttempt): KnownEnd | undefined {
  const before = attempts.filter((attempt) => attempt !== present && attempt.starting !== null);
  const last = before.findLast(({ end }) => !end || !leftAsItWas(end.kind));
  const resumed = last !== undefined && resumes.some((resume) => resume.attempts > attempts.indexOf(last));
  return last?.end?.kind === 'succeeded' && !resumed ? last.end : undefined;
}
