import { grantTask, isClaimable, renewTask, type WithTask } from '@tidemark/task/task';
import { later, plus } from '@tidemark/task/time';
import type { Attempt, Backup, Reason } from '../backup.ts';
import { type Answer, type Command, type Decision, type Limits, LOST } from './command.ts';
import { gaveBack, leftToOthers } from './hand-back.ts';
import { attemptOf, finish, removeTask } from './vocabulary.ts';

type Claim = Extract<Command, { kind: 'claim' }>;

/** Grants the task to whoever asks first (T3); everybody else gets LOST and forgets. */
export function claim(backup: Backup, command: Claim, now: Date, limits: Limits): Decision {
  const held = renewTask(backup, { claim: command.claim }, now, limits);
  if (held) return { answer: answerOf(held, command.claim, now), next: held };
  const used = attemptOf(backup, command.claim) !== undefined || gaveBack(backup, command.claim);
  if (used || !isClaimable(backup, now)) return LOST;
  const { task } = backup;
  const ringAt = leftToOthers(backup, command, now);
  if (ringAt) return ringAt < task.ringAt ? { ...LOST, next: { ...backup, task: { ...task, ringAt } } } : LOST;
  return task.kind === 'backup'
    ? claimBackup(backup, command, now, limits)
    : claimRemoval(backup, command, now, limits);
}

/** Ends a backup whose cluster may not use the storage any more: nothing is started, and what `br` left of it is removed. */
function deny(backup: Backup, now: Date, limits: Limits): Backup {
  const { clusterId, storage } = backup;
  const reason: Reason = {
    code: 'STORAGE_DENIED',
    message: `Cluster ${clusterId} may not use storage ${storage.id} any more: its usableBy leaves the cluster out, or its keys would go to a PD that an admin of some clusters has set. An admin of all clusters can allow it (usableBy; saving the cluster as it is), or the cluster or its rule names another storage.`,
  };
  const over = finish(backup, 'Failed', now, reason, limits.quietMs);
  if (!over.task) return over;
  // The claim that ends it may be sent again, and is not to find a removal then.
  const at = later(over.task.notBefore, plus(now, limits.quietMs));
  return { ...over, task: { ...over.task, notBefore: at, ringAt: at } };
}

/** It is rung for again, and its record says why it waits. */
function waiting(backup: Backup, message: string): Backup {
  return { ...backup, reason: { code: 'CLUSTER_TAKEN', message } };
}

function claimBackup(backup: WithTask<Backup>, command: Claim, now: Date, limits: Limits): Decision {
  const { slotKey } = command;
  if (backup.state !== 'Queued' || command.pool !== backup.target.pool) return LOST;
  if (command.storageDenied) return { ...LOST, next: deny(backup, now, limits) };
  if (command.taken !== undefined) return { ...LOST, next: waiting(backup, command.taken) };
  if (slotKey === undefined) return LOST;
  const granted = grantTask(backup, command, now, limits);
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

function claimRemoval(backup: WithTask<Backup>, command: Claim, now: Date, limits: Limits): Decision {
  // Retention counted on others, a newer good backup and what logs are replayed from: where they are gone, it takes its wish back.
  const { deletion } = backup;
  const isWish = deletion.state === 'Requested' && deletion.by?.kind === 'retention';
  const withdrawn = isWish && (!command.newerGood || command.isBase === true);
  const kept: WithTask<Backup> = withdrawn
    ? {
        ...backup,
        deletion: { state: 'None' },
        leftovers: backup.leftovers.filter(({ path }) => path !== backup.path),
      }
    : backup;
  // A stray may have made all of them busy again since the task was written.
  if (!kept.leftovers.some(({ after }) => after <= now))
    return { ...LOST, next: { ...kept, task: removeTask(kept.leftovers, kept.task) } };
  const granted = grantTask(kept, command, now, limits);
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
    remainingMs: Math.max(0, backup.deadline.getTime() - now.getTime()),
    previousEnded: before?.outcome !== undefined && before.outcome !== 'lost',
    previousBrVersion: before?.brVersion ?? '',
  };
}
