/**
 * What people ask of a restore (R12). A command is known for ever by the call that brought it: its repeat on the way is answered as the first
 * time and does nothing, however late it comes. By the id of its request it is known only while what it asked for is in force, and where it asks
 * for the same: a person who repeats a request is answered as the first time, and a script that sends one id with all of its requests is heard.
 */

import { MAX_RESTORE_COMMANDS } from '@tidemark/limits/limits';
import { later, plus } from '@tidemark/task/time';
import { isActive, type Restore, type RestoreCancel } from '../restore.ts';
import { OK, type RestoreCommand, type RestoreDecision, type RestoreLimits, refused } from './command.ts';
import { finish, finishCanceled, firstTask, requeue, restedFrom } from './vocabulary.ts';

type Of<K extends RestoreCommand['kind']> = Extract<RestoreCommand, { kind: K }>;

/** Records a cancel; from then on the restore ends as Canceled whatever its worker reports. */
export function cancel(restore: Restore, { requestId, callId, by, reason }: Of<'cancel'>, now: Date): RestoreDecision {
  const isRepeat = (known: RestoreCancel) =>
    known.callId === callId || (known.current && known.requestId === requestId && known.reason === reason);
  if (restore.cancels.some(isRepeat)) return OK;
  if (!isActive(restore)) return refused('over');
  if (restore.cancels.length >= MAX_RESTORE_COMMANDS) return refused('tooManyCommands');
  const recorded: RestoreCancel = { requestId, callId, at: now, by, reason, current: true };
  const canceled: Restore = { ...restore, cancels: [...withoutCurrent(restore), recorded] };
  switch (restore.state) {
    case 'Queued':
      return { ...OK, next: finishCanceled(canceled, now) };
    case 'Running':
      return { ...OK, next: { ...canceled, state: 'Canceling' }, broadcast: true };
    default:
      return { ...OK, next: canceled, broadcast: true };
  }
}

const withoutCurrent = ({ cancels }: Restore) => cancels.map((cancel) => ({ ...cancel, current: false }));

/** Lets a restore go on that ended in the middle; a cancel from before is out of force. */
export function resume(
  restore: Restore,
  { requestId, callId, by, hostDead }: Of<'resume'>,
  now: Date,
  limits: RestoreLimits,
): RestoreDecision {
  const { resumes, attempts, quietUntil } = restore;
  if (resumes.some((known) => known.callId === callId)) return OK;
  const last = resumes.at(-1);
  const isRepeat = last?.requestId === requestId && last.hostDead === hostDead;
  if (isActive(restore)) return isRepeat ? OK : refused('active');
  if (restore.targetState !== 'Partial') return refused('over');
  if (!restore.resumable) return refused('notResumable');
  if (restore.needsConfirm && !hostDead) return refused('needsConfirm');
  if (resumes.length >= MAX_RESTORE_COMMANDS) return refused('tooManyCommands');
  const rested = restedFrom(restore, now, limits);
  const resumed: Restore = {
    ...restore,
    resumes: [...resumes, { requestId, callId, at: now, by, attempts: attempts.length, ...(hostDead && { hostDead }) }],
    cancels: withoutCurrent(restore),
    resumable: false,
    needsConfirm: false,
    resumesLeft: Math.max(1, restore.resumesLeft),
    deadline: plus(now, limits.deadlineMs),
    reason: null,
    endTime: null,
    task: firstTask('restore', now),
  };
  return { ...OK, next: requeue(resumed, now, quietUntil ? later(rested, quietUntil) : rested) };
}

/** Frees a target that is Partial: a person cleaned it, or takes it as it is. */
export function releaseTarget(
  restore: Restore,
  { requestId, callId, by, how, note, hostDead }: Of<'releaseTarget'>,
  now: Date,
): RestoreDecision {
  const { state, targetState, released, quietUntil, reason, endTime } = restore;
  const isSame = released?.requestId === requestId && released.how === how && released.note === note;
  if (released && (released.callId === callId || isSame)) return OK;
  if (state === 'Queued' || state === 'Running' || state === 'Canceling') return refused('active');
  if (targetState !== 'Partial') return refused('over');
  if (restore.needsConfirm && !hostDead) return refused('needsConfirm');
  if (quietUntil && now < quietUntil) return refused('quiet', quietUntil);
  const freed: Restore = {
    ...restore,
    targetState: 'Released',
    resumable: false,
    needsConfirm: false,
    needsCleaning: how === 'asIs',
    released: { requestId, callId, at: now, by, how, note, ...(hostDead && { hostDead }) },
  };
  return { ...OK, next: { ...finish(freed, state, now, reason), endTime } };
}

/** A person says that nothing of the restore is left in the target, so that another may begin there (R13). */
export function cleaned(restore: Restore): RestoreDecision {
  if (isActive(restore)) return refused('active');
  if (restore.targetState === 'Partial') return refused('notUnclean');
  return restore.needsCleaning ? { ...OK, next: { ...restore, needsCleaning: false } } : OK;
}
