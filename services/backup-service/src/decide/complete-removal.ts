import type { Backup, Deletion, Leftover, Reason } from '../backup.ts';
import { type Decision, type Limits, LOST, type Outcome } from './command.ts';
import { isHeldBy, plus, ranWithoutLock, removeTask, unowned } from './vocabulary.ts';

const MINUTE_MS = 60_000;
const LONGEST_RETRY_MS = 60 * MINUTE_MS;
const MOST_DOUBLINGS = 10;

/** Ends a claim of the remove task. Removals open no attempt, so a repeat is LOST and the worker forgets (T5). */
export function completeRemoval(
  backup: Backup,
  { claim, fence, outcome }: { readonly claim: string; readonly fence: number; readonly outcome: Outcome },
  now: Date,
  limits: Limits,
): Decision {
  if (!isHeldBy(backup, claim, fence)) return LOST;
  switch (outcome.kind) {
    case 'removed':
      return { answer: { kind: 'ok' }, next: removed(backup, outcome, now, limits) };
    case 'removeFailed':
      return { answer: { kind: 'ok' }, next: removeFailed(backup, outcome.reason, now) };
    case 'wait':
      return { answer: { kind: 'ok' }, next: { ...backup, task: unowned(backup.task, plus(now, outcome.waitMs)) } };
    default:
      return { answer: { kind: 'refused', why: 'wrongPair' } };
  }
}

const isUnderWay = ({ state }: Deletion) => state === 'Requested' || state === 'Deleting';

function removed(
  backup: Backup,
  { paths, bytes, remark }: Extract<Outcome, { kind: 'removed' }>,
  now: Date,
  limits: Limits,
): Backup {
  const leftovers = backup.leftovers.flatMap((leftover): Leftover[] => {
    // A stray that came meanwhile set a later `after`: the path has to be listed again.
    if (!paths.includes(leftover.path) || leftover.after > now) return [leftover];
    return ranWithoutLock(backup, leftover.path) && !leftover.listedOnce
      ? [{ ...leftover, listedOnce: true, after: plus(now, limits.unlockedQuietMs) }]
      : [];
  });
  const freed = { ...backup.deletion, bytes: (backup.deletion.bytes ?? 0) + bytes, ...(remark && { remark }) };
  const gone = isUnderWay(backup.deletion) && !leftovers.some(({ path }) => path === backup.path);
  const { error: _, ...clean } = freed;
  return {
    ...backup,
    leftovers,
    task: removeTask(leftovers, backup.task),
    ...(isUnderWay(backup.deletion) && { deletion: freed }),
    ...(gone && { deletion: { ...clean, state: 'Deleted' as const }, deleteTime: now }),
  };
}

function removeFailed(
  backup: Backup & { task: NonNullable<Backup['task']> },
  { message, detail }: Reason,
  now: Date,
): Backup {
  const { tries } = backup.task;
  const delayMs = Math.min(LONGEST_RETRY_MS, MINUTE_MS * 2 ** Math.min(tries, MOST_DOUBLINGS));
  return {
    ...backup,
    task: unowned({ ...backup.task, tries: tries + 1 }, plus(now, delayMs)),
    deletion: {
      ...backup.deletion,
      error: detail ? `${message}\n${detail}` : message,
      ...(isUnderWay(backup.deletion) && { state: 'DeleteFailed' as const }),
    },
  };
}
