/**
 * The words that the rows of the table are made of. Each takes a restore and gives the next one; nothing is changed in place, and
 * nothing here knows a clock.
 */
import { leftAsItWas } from '@tidemark/br-restore/end';
import { looksFirst } from '@tidemark/br-restore/versions';
import { newTask, requeued } from '@tidemark/task/task';
import { later, plus } from '@tidemark/task/time';
import type { Reason } from '../../backup.ts';
import type { End, EndedState, KnownEnd, Restore, RestoreAttempt, RestoreResult, RestoreTask } from '../restore.ts';
import type { RestoreLimits } from './command.ts';

const FINISHED_WHILE_CANCELED = 'finished while being canceled';
const DIRTY: Reason = {
  code: 'RESTORE_DIRTY',
  message:
    'The target holds wrong data. Do not use it: see to what "cleanup" names, release it, and start another restore.',
};

/** The value of the key fields of a restore that occupies nothing. */
export function ownKey({ _id }: Pick<Restore, '_id'>): string {
  return `restore:${_id}`;
}

/** A task that nobody has had yet, looked at at once. */
export function firstTask(kind: RestoreTask['kind'], now: Date): RestoreTask {
  return { ...newTask(now), kind };
}

/** The attempt of a claim. */
export function attemptOf({ attempts }: Restore, claim: string | undefined): RestoreAttempt | undefined {
  return attempts.find((attempt) => attempt.claim === claim);
}

/** Changes the attempt of a claim. */
export function withAttempt(restore: Restore, claim: string | undefined, change: Partial<RestoreAttempt>): Restore {
  const attempts = restore.attempts.map((attempt) => (attempt.claim === claim ? { ...attempt, ...change } : attempt));
  return { ...restore, attempts };
}

/** The end as it is kept. */
export function known(end: End, toldBy: KnownEnd['toldBy'], now: Date): KnownEnd {
  return { ...end, toldBy, at: now };
}

/**
 * judge(end): writes the end of an attempt down, and what it says of the target. Only an end that proves it takes Partial back, and only
 * where no attempt before had touched the target (R4).
 */
export function judge(
  restore: Restore,
  claim: string,
  end: KnownEnd,
  outcome: NonNullable<RestoreAttempt['outcome']>,
): Restore {
  const attempt = attemptOf(restore, claim);
  const ended: Restore = {
    ...withAttempt(restore, claim, { outcome, endedAt: end.at, end }),
    ...(attempt?.starting && end.kind !== 'none' && { lastBrEnd: end.at }),
  };
  if (attempt?.starting && !attempt.wasPartial && leftAsItWas(end.kind))
    return { ...ended, targetState: 'Untouched', brVersion: null, argv: null, hasCheckpoint: null };
  switch (end.kind) {
    case 'failed':
      // It certainly got past its checks, so that no earlier attempt had finished (R9): if they would have shown that.
      return looksFirst(ended.brVersion ?? '', ended.options.filter ?? [])
        ? { ...ended, outcomeUnknown: false }
        : ended;
    case 'dirty':
      // What is wrong is wrong, whoever had finished before.
      return { ...ended, outcomeUnknown: false };
    case 'afterSummary':
      return { ...ended, outcomeUnknown: true };
    default:
      return ended;
  }
}

/** finish(s): it has ended. Only one that is over frees its target and owes its source the hold (R1, R2). */
export function finish(restore: Restore, state: EndedState, now: Date, reason: Reason | null): Restore {
  const partial = restore.targetState === 'Partial';
  return {
    ...restore,
    state,
    reason,
    endTime: now,
    activeKey: partial ? restore.activeKey : ownKey(restore),
    slotKey: ownKey(restore),
    task: partial ? null : firstTask('unhold', now),
  };
}

function mayGoOn({ targetState, hasCheckpoint, spoilt }: Restore, mayResume: boolean): boolean {
  return mayResume && targetState === 'Partial' && hasCheckpoint === true && !spoilt;
}

/** fail(reason, mayResume). */
export function fail(restore: Restore, now: Date, reason: Reason | null, mayResume: boolean): Restore {
  return finish({ ...restore, resumable: mayGoOn(restore, mayResume) }, 'Failed', now, reason);
}

/** cancelled: it ends as was asked. */
export function finishCanceled(restore: Restore, now: Date, mayResume = true): Restore {
  return finish({ ...restore, resumable: mayGoOn(restore, mayResume) }, 'Canceled', now, null);
}

/** requeue(t): anybody may claim it from then on. */
export function requeue(restore: Restore, now: Date, notBefore: Date = now): Restore {
  const { task } = restore;
  const delayMs = Math.max(0, notBefore.getTime() - now.getTime());
  return { ...restore, state: 'Queued', slotKey: ownKey(restore), task: task && requeued(task, now, delayMs) };
}

/** rest: from then on the next attempt may start (R6). */
export function restedFrom({ lastBrEnd }: Restore, now: Date, { restMs }: Pick<RestoreLimits, 'restMs'>): Date {
  return lastBrEnd ? later(now, plus(lastBrEnd, restMs)) : now;
}

/** whole: the target holds all that was backed up (R8). */
export function whole(restore: Restore, end: End, now: Date): Restore {
  const canceling = restore.state === 'Canceling';
  const restored: Restore = {
    ...restore,
    targetState: 'Restored',
    outcomeUnknown: false,
    needsConfirm: false,
    resumable: false,
    needsCleaning: restore.needsCleaning || end.checkpointLeft === true,
    checksums: restore.attempts.some(mayHaveFoundAMismatch) ? 'unproven' : 'proven',
    result: end.result ? withRemark(end.result, canceling) : null,
    progress: { step: '', speed: '', ...restore.progress, percent: 100, remainingSeconds: 0 },
  };
  return finish(restored, canceling ? 'Canceled' : 'Succeeded', now, null);
}

/** R11: a `br` that goes on at its checkpoint does not compare again what the one before compared. */
function mayHaveFoundAMismatch({ starting, outcome, end }: RestoreAttempt): boolean {
  return starting !== null && outcome === 'lost' && (end === null || end.kind === 'dirty');
}

function withRemark(result: RestoreResult, canceling: boolean): RestoreResult {
  return canceling ? { ...result, remark: FINISHED_WHILE_CANCELED } : result;
}

/** spoil: the target holds wrong data, and nobody goes on from there (R11). */
export function spoil(restore: Restore, now: Date, reason: Reason = DIRTY): Restore {
  const spoilt: Restore = { ...restore, spoilt: true, targetState: 'Partial', resumable: false };
  return finish(spoilt, restore.state === 'Canceling' ? 'Canceled' : 'Failed', now, reason);
}
