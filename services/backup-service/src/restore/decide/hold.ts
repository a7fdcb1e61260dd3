import type { Reason } from '../../backup.ts';
import type { Restore } from '../restore.ts';
import { OK, type RestoreDecision } from './command.ts';
import { fail } from './vocabulary.ts';

const SOURCE_GONE: Reason = {
  code: 'SOURCE_GONE',
  message: 'The backup is being deleted, or is not good any more, so it cannot be restored. Nothing was changed.',
};

const LOG_GONE: Reason = {
  code: 'SOURCE_GONE',
  message: 'The log from which the point is restored is not there any more. Nothing was changed.',
};

/** Whether the source is still to be held; what a slow copy tells later changes nothing (R2). */
const waitsForItsHold = ({ state, held }: Restore) => state === 'Queued' && !held;

/** The source is held, so that a worker may have the task (R2). */
export function held(restore: Restore, now: Date): RestoreDecision {
  const { task } = restore;
  if (!waitsForItsHold(restore) || !task) return OK;
  return { ...OK, next: { ...restore, held: true, reason: null, task: { ...task, ringAt: now } } };
}

/** The source cannot be held. */
export function sourceGone(restore: Restore, what: 'log' | undefined, now: Date): RestoreDecision {
  const reason = what === 'log' ? LOG_GONE : SOURCE_GONE;
  return waitsForItsHold(restore) ? { ...OK, next: fail(restore, now, reason, false) } : OK;
}

/**
 * `br` would go on at the checkpoint of another restore instead of refusing a target that is not empty (R13).
 *
 * @param restoreId that other one, where whoever sees the record may see it too
 */
export function targetUnclean(restore: Restore, restoreId: string | undefined, now: Date): RestoreDecision {
  if (!waitsForItsHold(restore)) return OK;
  const reason: Reason = {
    code: 'TARGET_NEEDS_CLEANING',
    message: `${restoreId === undefined ? 'Another restore' : `Restore ${restoreId}`} left its checkpoint in the target. Drop it and say so to that restore (cleaned), then start again. Nothing was changed.`,
  };
  return { ...OK, next: fail(restore, now, reason, false) };
}

/** The target is a real cluster that somebody else has by another registration (R7). */
export function targetTaken(restore: Restore, message: string, now: Date): RestoreDecision {
  if (!waitsForItsHold(restore)) return OK;
  const reason: Reason = { code: 'TARGET_TAKEN', message: `${message} Nothing was changed.` };
  return { ...OK, next: fail(restore, now, reason, false) };
}

/** `br` restores nothing into a cluster that writes a log: it waits until that is off, and is asked again (R15). */
export function targetLogs(restore: Restore, message: string): RestoreDecision {
  return waiting(restore, { code: 'TARGET_LOGS', message });
}

/** No log is read while files of it go: it waits until they are gone, and is asked again. */
export function sourceTruncating(restore: Restore, clusterId: string): RestoreDecision {
  const message = `Something is being taken out of the log of cluster ${clusterId} from which the point is restored: the restore goes on once that is done (GET /clusters/${clusterId}/log-backup).`;
  return waiting(restore, { code: 'LOG_TRUNCATING', message });
}

function waiting(restore: Restore, reason: Reason): RestoreDecision {
  const isTold = restore.reason?.code === reason.code && restore.reason.message === reason.message;
  return waitsForItsHold(restore) && !isTold ? { ...OK, next: { ...restore, reason } } : OK;
}

/** The hold was given back: nothing is left to do (R14). */
export function unheld(restore: Restore): RestoreDecision {
  return restore.task?.kind === 'unhold' ? { ...OK, next: { ...restore, held: false, task: null } } : OK;
}
