/**
 * Takes a backup off the books whose files nobody can remove, and puts it back where a rebuild finds it.
 *
 * G1. Only where a removal failed or the storage was declared gone, and never while the backup is active or held.
 * G2. Nobody works on it any more: no task, no leftovers. Its paths stay taken, as those of any tombstone (T10).
 * G3. It comes back only if nobody ever announced the removal of its files, for who did may still be at it.
 * G4. What comes back comes back whole: the paths that earlier attempts left are leftovers again.
 */

import { plus } from '@tidemark/task/time';
import { type Backup, isActive, type Leftover } from '../backup.ts';
import { type Command, type Decision, type Limits, OK } from './command.ts';
import { REBUILT } from './rebuild.ts';
import { removeTask, withLeftover } from './vocabulary.ts';

/** Gives the files up. */
export function forget(
  backup: Backup,
  { by, reason, requestId, gone, unacknowledged }: Extract<Command, { kind: 'forget' }>,
  now: Date,
): Decision {
  const { leftovers, path } = backup;
  const { trashUntil: _, ...deletion } = backup.deletion;
  if (isActive(backup)) return { answer: { kind: 'refused', why: 'active' } };
  if (backup.holds.length > 0) return { answer: { kind: 'refused', why: 'held' } };
  if (deletion.state === 'Forgotten' || deletion.state === 'Deleted') return OK;
  if (deletion.state !== 'DeleteFailed' && !gone) return { answer: { kind: 'refused', why: 'notFailed' } };
  if (unacknowledged) return { answer: { kind: 'refused', why: 'losesPoints', loss: unacknowledged } };
  const begun = leftovers.some((leftover) => leftover.path === path && !leftover.untouched);
  return {
    answer: { kind: 'ok' },
    next: {
      ...backup,
      deletion: {
        ...deletion,
        state: 'Forgotten',
        by,
        reason,
        requestId,
        at: now,
        remark: remarkOf([path, ...leftovers.map((leftover) => leftover.path)]),
        ...(begun && { begun }),
      },
      deleteTime: now,
      leftovers: [],
      task: null,
    },
  };
}

/**
 * The backup is good again: a rebuild found it in its path, whatever storage that was in before. What other paths of it may
 * hold is removed after all (G4).
 */
export function remember(
  backup: Backup,
  { storage }: Extract<Command, { kind: 'remember' }>,
  now: Date,
  limits: Limits,
): Decision {
  const { state, deletion, result, path, attempts } = backup;
  if (deletion.state === 'None') return OK;
  if (state !== 'Succeeded' || deletion.state !== 'Forgotten' || deletion.begun || !result)
    return { answer: { kind: 'refused', why: 'notForgotten' } };
  const others = attempts.filter((attempt) => attempt.path !== path && attempt.argv !== undefined);
  const rested = plus(now, limits.quietMs);
  const leftovers = others.reduce<Leftover[]>((all, one) => withLeftover(all, one.path, rested), []);
  return {
    answer: { kind: 'ok' },
    next: {
      ...backup,
      storage,
      deletion: { state: 'None' },
      deleteTime: null,
      result: { ...result, remark: REBUILT },
      leftovers,
      task: removeTask(leftovers),
    },
  };
}

function remarkOf(paths: readonly string[]): string {
  return `The record was forgotten and its files were given up: they may remain in ${[...new Set(paths)].join(', ')}.`;
}
