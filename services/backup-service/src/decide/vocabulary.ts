/**
 * The words that the rows of architecture 3 are made of. Each takes a backup and gives the next one; nothing is
 * changed in place, and nothing here knows a clock.
 */
import { newTask, requeued, unowned } from '@tidemark/task/task';
import { later, plus } from '@tidemark/task/time';
import type {
  Attempt,
  AttemptOutcome,
  Backup,
  Cancellation,
  FinishedState,
  Leftover,
  Reason,
  Task,
} from '../backup.ts';
import type { Limits } from './command.ts';

/** The value of both key fields of a backup that occupies nothing. */
export function ownKey(backup: Pick<Backup, '_id'>): string {
  return `backup:${backup._id}`;
}

/** The `activeKey` of the one active backup of a cluster. */
export function clusterKey(clusterId: string): string {
  return `cluster:${clusterId}`;
}

/** A task that nobody has had yet, rung for at once. */
export function firstTask(kind: Task['kind'], now: Date): Task {
  return { ...newTask(now), kind, tries: 0 };
}

/** The earliest instant at which a leftover may be removed. There is one. */
export function earliestAfter(leftovers: readonly Leftover[]): Date {
  return new Date(Math.min(...leftovers.map(({ after }) => after.getTime())));
}

/** A remove task for the leftovers, or none where nothing is left. */
export function removeTask(leftovers: readonly Leftover[], before?: Task | null): Task | null {
  if (leftovers.length === 0) return null;
  const after = earliestAfter(leftovers);
  return unowned<Task>({ ...firstTask('remove', after), ...before, kind: 'remove' }, after);
}

/** Until when a removal waits also if it is taken from its owner: its leftovers go on resting (T11). */
export function restingUntil(task: Task | null): Date | undefined {
  return task?.kind === 'remove' ? task.notBefore : undefined;
}

/** One entry per path: a path already there keeps the later `after` and is listed afresh. */
export function withLeftover(leftovers: readonly Leftover[], path: string, after: Date): Leftover[] {
  const known = leftovers.find((leftover) => leftover.path === path);
  const untouched = known?.untouched && { untouched: known.untouched };
  const entry: Leftover = { path, after: known ? later(known.after, after) : after, ...untouched };
  return [...leftovers.filter((leftover) => leftover.path !== path), entry];
}

/** Whether `br` may have written to the path: an attempt announced its command line. */
export function mayHoldFiles({ attempts }: Backup, path: string): boolean {
  return attempts.some((attempt) => attempt.path === path && attempt.argv !== undefined);
}

/** Whether a `br` without a lock of its own ran in the path: then its files need a longer rest and a second look. */
export function ranWithoutLock({ attempts }: Backup, path: string): boolean {
  return attempts.some((attempt) => attempt.path === path && attempt.hasLock === false);
}

/** The attempt of a claim. */
export function attemptOf({ attempts }: Backup, claim: string | undefined): Attempt | undefined {
  return attempts.find((attempt) => attempt.claim === claim);
}

/**
 * From when on the files of a good backup may be removed. A `br` that exited with 0 is done, but one that ended otherwise, or
 * whose end nobody saw, may have left something under way that still writes.
 */
export function restedFrom({ attempts, path, endTime }: Backup, { quietMs }: Limits): Date {
  const here = attempts.filter((attempt) => attempt.path === path);
  const others = here.filter(({ exitSeen, argv }) => exitSeen === undefined && argv !== undefined);
  const seen = here.length > others.length && here.some(({ exitSeen }) => exitSeen);
  const known = seen && others.every(({ outcome, endedAt }) => outcome !== 'lost' && endedAt !== undefined);
  if (!known) return plus(endTime ?? new Date(0), quietMs);
  return new Date(Math.max(0, ...others.map(({ endedAt }) => (endedAt?.getTime() ?? 0) + quietMs)));
}

/** Writes the end of a claim's attempt, if it has none yet. */
export function endAttempt(
  backup: Backup,
  claim: string | undefined,
  outcome: AttemptOutcome,
  now: Date,
  reason?: Reason,
): Backup {
  const attempts = backup.attempts.map((attempt) =>
    attempt.claim === claim && attempt.outcome === undefined
      ? { ...attempt, outcome, endedAt: now, ...(reason && { reason }) }
      : attempt,
  );
  return { ...backup, attempts };
}

/** Nothing is waited for or estimated any more, as no `br` runs. */
function quiet(backup: Backup): Backup {
  if (!backup.waiting && !backup.estimate) return backup;
  return { ...backup, ...(backup.waiting && { waiting: null }), ...(backup.estimate && { estimate: null }) };
}

/**
 * finish(s): the backup is over. Where it did not succeed, what `br` may have written becomes a leftover;
 * the task becomes the removal of the leftovers, or none.
 *
 * @param restMs how long the files are left alone
 */
export function finish(backup: Backup, state: FinishedState, now: Date, reason: Reason | null, restMs: number): Backup {
  const leftovers =
    state !== 'Succeeded' && mayHoldFiles(backup, backup.path)
      ? withLeftover(backup.leftovers, backup.path, plus(now, restMs))
      : backup.leftovers;
  return {
    ...quiet(backup),
    state,
    reason,
    endTime: now,
    activeKey: ownKey(backup),
    slotKey: ownKey(backup),
    leftovers,
    task: removeTask(leftovers),
  };
}

/** What is said of a backup that a rule canceled, by the rule's constant. */
const CANCEL_MESSAGES: Readonly<Record<string, string>> = {
  WINDOW_CLOSED:
    'The window of its strategy closed before it had ended; it was stopped, and the next window starts anew.',
};
const CANCELED_BY_RULE = 'A rule of Tidemark stopped it.';

/** Why a canceled backup ended: a rule says so by its constant, a person's cancel speaks for itself. */
function cancelReason(cancel: Cancellation | null): Reason | null {
  if (cancel?.code === undefined) return null;
  return { code: cancel.code, message: CANCEL_MESSAGES[cancel.code] ?? (cancel.reason || CANCELED_BY_RULE) };
}

/** finish(Canceled), with the reason of the recorded cancel. */
export function finishCanceled(backup: Backup, now: Date, restMs: number): Backup {
  return finish(backup, 'Canceled', now, cancelReason(backup.cancel), restMs);
}

/** Back to Queued, with its task as it is. */
export function queued(backup: Backup): Backup {
  return { ...quiet(backup), state: 'Queued', slotKey: ownKey(backup) };
}

/** requeue(d): back to Queued, claimable by anybody after `delayMs`. */
export function requeue(backup: Backup, now: Date, delayMs: number): Backup {
  return { ...queued(backup), task: backup.task && requeued(backup.task, now, delayMs) };
}

/** The next attempt writes elsewhere; the old path is removed after `restMs` (T10). */
export function moveToNewPath(backup: Backup, now: Date, restMs: number): Backup {
  return {
    ...backup,
    leftovers: withLeftover(backup.leftovers, backup.path, plus(now, restMs)),
    // Each path is left under a grant of its own, and that number only grows; the number of attempts does not.
    path: `${backup.basePath}-r${backup.fence}`,
  };
}
