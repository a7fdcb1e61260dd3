import type { Attempt, Backup, Task } from '../backup.ts';
import { type Answer, type Command, type Decision, type Limits, LOST } from './command.ts';
import { attemptOf, grant, leased, removeTask } from './vocabulary.ts';

type Claim = Extract<Command, { kind: 'claim' }>;

/** Grants the task to whoever asks first (T3); everybody else is told LOST and forgets. */
export function claim(backup: Backup, command: Claim, now: Date, limits: Limits): Decision {
  const { task } = backup;
  if (!task) return LOST;
  if (task.claim === command.claim) {
    const next = { ...backup, task: leased(task, now, limits) };
    return { answer: answerOf(next, command.claim, now), next };
  }
  const used = attemptOf(backup, command.claim) !== undefined;
  if (task.claim !== undefined || task.notBefore > now || used) return LOST;
  return task.kind === 'backup'
    ? claimBackup(backup, task, command, now, limits)
    : claimRemoval(backup, task, command, now, limits);
}

function claimBackup(backup: Backup, task: Task, command: Claim, now: Date, limits: Limits): Decision {
  const { slotKey } = command;
  if (backup.state !== 'Queued' || command.pool !== backup.target.pool || slotKey === undefined) return LOST;
  const granted = grant(backup, task, command, now, limits);
  const attempt: Attempt = {
    claim: command.claim,
    fence: granted.fence,
    path: backup.path,
    worker: command.worker,
    mayRun: backup.failures < limits.failureLimit && backup.losses < limits.lossLimit && now < backup.deadline,
    startedAt: now,
  };
  const next: Backup = {
    ...granted,
    state: 'Running',
    slotKey,
    reason: null,
    attempts: [...backup.attempts, attempt],
  };
  return { answer: answerOf(next, command.claim, now), next };
}

function claimRemoval(backup: Backup, task: Task, command: Claim, now: Date, limits: Limits): Decision {
  // Retention counted on a newer good backup: where there is none any more, it takes its wish back.
  const { deletion } = backup;
  const withdrawn = deletion.state === 'Requested' && deletion.by?.kind === 'retention' && !command.newerGood;
  const kept: Backup = withdrawn
    ? {
        ...backup,
        deletion: { state: 'None' },
        leftovers: backup.leftovers.filter(({ path }) => path !== backup.path),
      }
    : backup;
  if (kept.leftovers.length === 0) return { ...LOST, next: { ...kept, task: removeTask(kept.leftovers) } };
  const granted = grant(kept, task, command, now, limits);
  const deleting = granted.deletion.state === 'Requested' || granted.deletion.state === 'DeleteFailed';
  const next: Backup = deleting ? { ...granted, deletion: { ...granted.deletion, state: 'Deleting' } } : granted;
  return { answer: answerOf(next, command.claim, now), next };
}

function answerOf(backup: Backup, token: string, now: Date): Answer {
  if (backup.task?.kind === 'remove') {
    const paths = backup.leftovers.filter(({ after }) => after <= now).map(({ path }) => path);
    return { kind: 'removeGrant', fence: backup.fence, paths };
  }
  const attempt = attemptOf(backup, token);
  // Of those that may have started br: one that only waited says nothing about the br that it waited for.
  const before = backup.attempts
    .filter(({ path, argv, claim: other }) => path === backup.path && argv !== undefined && other !== token)
    .at(-1);
  return {
    kind: 'backupGrant',
    fence: backup.fence,
    path: backup.path,
    mayRun: attempt?.mayRun ?? false,
    attempt: backup.attempts.length,
    remainingMs: backup.deadline.getTime() - now.getTime(),
    previousEnded: before?.outcome !== undefined && before.outcome !== 'lost',
    previousBrVersion: before?.brVersion ?? '',
  };
}
