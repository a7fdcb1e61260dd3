import { isHeldBy } from '@tidemark/task/task';
import type { Backup, Reason } from '../backup.ts';
import { type Command, type Decision, type Limits, LOST, OK, type Outcome, type Peer } from './command.ts';
import { gaveBack, pauseAfter, saidByAll, withHandBack, withoutHandBacks } from './hand-back.ts';
import { attemptOf, endAttempt, finish, finishCanceled, moveToNewPath, requeue } from './vocabulary.ts';

const FINISHED_WHILE_CANCELED = 'finished while being canceled';
const REFUSED: Decision = { answer: { kind: 'refused', why: 'wrongPair' } };

/** Ends a claim of the backup task (T5, T12); a repeat of the same end is answered as the first time. */
export function completeBackup(
  backup: Backup,
  command: Extract<Command, { kind: 'complete' }>,
  now: Date,
  limits: Limits,
): Decision {
  const { claim, outcome, peers = [] } = command;
  if (!isHeldBy(backup, command)) {
    const repeat = outcome.kind === 'wait' && outcome.handBack !== undefined && gaveBack(backup, claim);
    return repeat || attemptOf(backup, claim)?.outcome === outcome.kind ? OK : LOST;
  }
  // A repeat of the last removal, once nothing is left to remove, was LOST above, as each repeat of one (T5).
  if (outcome.kind === 'removed' || outcome.kind === 'removeFailed') return REFUSED;
  if (outcome.kind === 'stopped' && backup.state !== 'Canceling') return REFUSED;
  const reason = 'reason' in outcome ? outcome.reason : undefined;
  const ended = endAttempt(backup, claim, outcome.kind, now, reason);
  if (outcome.kind === 'wait' && outcome.handBack && backup.state !== 'Canceling')
    return { answer: { kind: 'ok' }, next: afterHandBack(ended, claim, outcome, outcome.handBack, peers, now, limits) };
  const begun = withoutHandBacks(outcome.kind === 'succeeded' && outcome.exitSeen ? exitSeen(ended, claim) : ended);
  const next =
    backup.state === 'Canceling' ? afterCancel(begun, outcome, now, limits) : afterRun(begun, outcome, now, limits);
  return { answer: { kind: 'ok' }, next };
}

function exitSeen(backup: Backup, claim: string): Backup {
  const attempts = backup.attempts.map((one) => (one.claim === claim ? { ...one, exitSeen: true as const } : one));
  return { ...backup, attempts };
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

/** H1, H3: the worker cannot do it; another one may. */
function afterHandBack(
  backup: Backup,
  claim: string,
  { reason }: Extract<Outcome, { kind: 'wait' }>,
  { notStarted, ...handBack }: NonNullable<Extract<Outcome, { kind: 'wait' }>['handBack']>,
  peers: readonly Peer[],
  now: Date,
  limits: Limits,
): Backup {
  const { worker = '', argv } = attemptOf(backup, claim) ?? {};
  const handed = withHandBack(backup, { ...handBack, worker, claim, at: now, reason });
  const kept =
    argv && !notStarted
      ? handed
      : { ...handed, attempts: handed.attempts.filter((attempt) => attempt.claim !== claim) };
  const last = kept.handBacks.at(-1);
  if (!last) return kept;
  const all = saidByAll(kept, peers, last, now);
  if (all?.final) return finish(kept, 'Failed', now, all.reason, limits.quietMs);
  return { ...requeue(kept, now, pauseAfter(last.times, limits.handBackMs)), reason: all?.reason ?? reason };
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
  if (failed.failures >= limits.failureLimit)
    return finish(failed, 'Failed', now, givenUp(reason, failed.failures), limits.quietMs);
  const ready = kind === 'newPath' ? moveToNewPath(failed, now, limits.quietMs) : failed;
  return { ...requeue(ready, now, delayMs), reason };
}

/** What the last try failed of, with the word that no other follows: reasons speak of what another try would do. */
function givenUp(reason: Reason, tries: number): Reason {
  return { ...reason, message: `${reason.message} Tidemark gave up after ${tries} failed tries.` };
}
