/**
 * The words that the rows of design section 3 are made of. Each takes a backup and gives the next one; nothing is
 * changed in place, and nothing here knows a clock.
 */
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

/** `at` moved by `ms`. */
export function plus(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms);
}

export function later(one: Date, other: Date): Date {
  return new Date(Math.max(one.getTime(), other.getTime()));
}

/** The value of both key fields of a backup that occupies nothing. */
export function ownKey(backup: Pick<Backup, '_id'>): string {
  return `backup:${backup._id}`;
}

/** The `activeKey` of the one active backup of a cluster. */
export function clusterKey(clusterId: string): string {
  return `cluster:${clusterId}`;
}

/** How far the clocks of two copies may be apart: each knows the time of the database to half a round trip. */
const CLOCKS_APART_MS = 2_000;

/**
 * From when on a task may be claimed that is rung for at once: since a while ago, for a copy whose clock is behind that of
 * the one that rings would turn the claim away as too early, and the next ring is a minute off.
 */
export function atOnce(now: Date): Date {
  return plus(now, -CLOCKS_APART_MS);
}

/** A task without an owner, looked at and claimable from `at` on. */
export function unowned(task: Pick<Task, 'kind'> & Partial<Task>, at: Date, notBefore: Date = at): Task {
  return { kind: task.kind, ringAt: at, notBefore, rings: task.rings ?? 0, tries: task.tries ?? 0 };
}

/** The earliest instant at which a leftover may be removed. There is one. */
export function earliestAfter(leftovers: readonly Leftover[]): Date {
  return new Date(Math.min(...leftovers.map(({ after }) => after.getTime())));
}

/** A remove task for the leftovers, or none where nothing is left. */
export function removeTask(leftovers: readonly Leftover[], before?: Task | null): Task | null {
  return leftovers.length === 0 ? null : unowned({ ...before, kind: 'remove' }, earliestAfter(leftovers));
}

/** One entry per path: a path already there keeps the later `after` and is listed afresh. */
export function withLeftover(leftovers: readonly Leftover[], path: string, after: Date): Leftover[] {
  const known = leftovers.find((leftover) => leftover.path === path);
  const entry: Leftover = { path, after: known ? later(known.after, after) : after };
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
    ...backup,
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

/** requeue(d): back to Queued, claimable by anybody after `delayMs`. */
export function requeue(backup: Backup, now: Date, delayMs: number): Backup {
  const at = plus(now, delayMs);
  return {
    ...backup,
    state: 'Queued',
    slotKey: ownKey(backup),
    task: unowned({ ...backup.task, kind: 'backup' }, at, delayMs === 0 ? atOnce(now) : at),
  };
}

/** The next attempt writes elsewhere; the old path is removed after `restMs` (T10). */
export function moveToNewPath(backup: Backup, now: Date, restMs: number): Backup {
  return {
    ...backup,
    leftovers: withLeftover(backup.leftovers, backup.path, plus(now, restMs)),
    path: `${backup.basePath}-r${backup.attempts.length}`,
  };
}

/** The lease of an owned task, from now on; it rings again when a dead owner could have been reaped. */
export function leased(task: Task, now: Date, { leaseMs, reapMarginMs }: Limits): Task {
  const leaseUntil = plus(now, leaseMs);
  return { ...task, leaseUntil, ringAt: plus(leaseUntil, reapMarginMs * 1.2) };
}

/** grant(task): the task is `claim`'s, under a new fence. */
export function grant(
  backup: Backup,
  task: Task,
  { claim, worker }: { readonly claim: string; readonly worker: string },
  now: Date,
  limits: Limits,
): Backup {
  return { ...backup, fence: backup.fence + 1, task: leased({ ...task, claim, worker }, now, limits) };
}

/** Whether the lease ended so long ago that its owner cannot be at work any more. */
export function isReapable(task: Task | null, now: Date, { reapMarginMs }: Limits): boolean {
  return task?.leaseUntil !== undefined && plus(task.leaseUntil, reapMarginMs) < now;
}

/** Whether the task is held under this claim and fence (T4). */
export function isHeldBy(backup: Backup, claim: string, fence: number | undefined): backup is Backup & { task: Task } {
  return backup.task?.claim === claim && (fence === undefined || fence === backup.fence);
}
