import type { Backup, Reason } from '../backup.ts';
import { type Decision, type Limits, LOST, OK, type Outcome } from './command.ts';
import { attemptOf, endAttempt, finish, finishCanceled, isHeldBy, moveToNewPath, requeue } from './vocabulary.ts';

const FINISHED_WHILE_CANCELED = 'finished while being canceled';
const REFUSED: Decision = { answer: { kind: 'refused', why: 'wrongPair' } };

/** Ends a claim of the backup task (T5, T12); a repeat of the same end is answered as the first time. */
export function completeBackup(
  backup: Backup,
  { claim, fence, outcome }: { readonly claim: string; readonly fence: number; readonly outcome: Outcome },
  now: Date,
  limits: Limits,
): Decision {
  if (!isHeldBy(backup, claim, fence)) return attemptOf(backup, claim)?.outcome === outcome.kind ? OK : LOST;
  // A repeat of the last removal, once nothing is left to remove, was LOST above, as each repeat of one (T5).
  if (outcome.kind === 'removed' || outcome.kind === 'removeFailed') return REFUSED;
  if (outcome.kind === 'stopped' && backup.state !== 'Canceling') return REFUSED;
  const reason = 'reason' in outcome ? outcome.reason : undefined;
  const ended = endAttempt(backup, claim, outcome.kind, now, reason);
  const next =
    backup.state === 'Canceling' ? afterCancel(ended, outcome, now, limits) : afterRun(ended, outcome, now, limits);
  return { answer: { kind: 'ok' }, next };
}

function afterCancel(backup: Backup, outcome: Outcome, now: Date, { quietMs }: Limits): Backup {
  const canceled = finishCanceled(backup, now, quietMs);
  return outcome.kind === 'succeeded'
    ? { ...canceled, result: { ...outcome.result, remark: FINISHED_WHILE_CANCELED } }
    : canceled;
}

function afterRun(backup: Backup, outcome: Outcome, now: Date, limits: Limits): Backup {
  switch (outcome.kind) {
    case 'succeeded':
      return {
        ...finish(backup, 'Succeeded', now, null, limits.quietMs),
        result: outcome.result,
        progress: { step: '', speed: '', ...backup.progress, percent: 100, remainingSeconds: 0 },
      };
    case 'failed':
      return finish(backup, 'Failed', now, outcome.reason, limits.quietMs);
    case 'wait':
      return { ...requeue(backup, now, outcome.waitMs), reason: outcome.reason };
    case 'retry':
    case 'newPath':
      return afterFailure(backup, outcome.kind, outcome.reason, outcome.delayMs ?? limits.retryMs, now, limits);
    default:
      return backup;
  }
}

function afterFailure(
  backup: Backup,
  kind: 'retry' | 'newPath',
  reason: Reason,
  delayMs: number,
  now: Date,
  limits: Limits,
): Backup {
  const failed = { ...backup, failures: backup.failures + 1 };
  if (failed.failures >= limits.failureLimit) return finish(failed, 'Failed', now, reason, limits.quietMs);
  const ready = kind === 'newPath' ? moveToNewPath(failed, now, limits.quietMs) : failed;
  return { ...requeue(ready, now, delayMs), reason };
}
