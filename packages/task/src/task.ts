/**
 * The task protocol: unfinished work on a document, which rings until a worker claims it, and is taken back from a worker
 * that is lost. Pure functions over any document that has a `task` and a `fence`; what kind of work it is, and what else
 * changes with it, is the document's own affair.
 *
 * T2. A task rings by itself as long as it is there: the next ring is written down before the message is published.
 * T3. Only an unowned task whose time has come is granted, each time under a higher fence. The claim that holds it gets the
 *     same grant again.
 * T4. Every write of a worker names claim and fence; where they do not hold the task, it is lost.
 */
import { plus } from './time.ts';

/** Unfinished work on a document. It is owned while it has a claim and a lease. */
export interface Task {
  /** When the dispatcher looks at it next. */
  readonly ringAt: Date;
  /** When it may be claimed. */
  readonly notBefore: Date;
  /** How often it was rung. */
  readonly rings: number;
  /** A random token, used once. */
  readonly claim?: string;
  readonly worker?: string;
  readonly leaseUntil?: Date;
  /** Its owner announced a start: what was started may outlive the lease. */
  readonly started?: true;
}

export interface Tasked {
  readonly task: Task | null;
  /** Number of the last grant; only grows. */
  readonly fence: number;
}

/** The same document while it has a task. */
export type WithTask<D extends Tasked> = D & { readonly task: NonNullable<D['task']> };

/** Durations in milliseconds; a part of service-kit's `Timing`. */
export interface TaskLimits {
  /** From one ring to the next, while nobody claims the task. */
  readonly ringMs: number;
  readonly leaseMs: number;
  /** How long after its end a lease is believed to be over: clocks differ, and what is stopped takes a moment. */
  readonly reapMarginMs: number;
}

/** Who takes a task. */
export interface Claimant {
  readonly claim: string;
  readonly worker: string;
}

/** Who says that it holds a task. */
export interface Holder {
  readonly claim: string;
  /** Absent where the answer to the claim never came. */
  readonly fence?: number;
}

/** How far the clocks of two copies may be apart: each knows the time of the database to half a round trip. */
export const CLOCKS_APART_MS = 2_000;

/** A ring comes this much later than the moment from which a dead owner can be reaped. */
const RING_AFTER_REAP = 1.2;

/**
 * From when on a task may be claimed that is rung for at once: since a while ago, for a copy whose clock is behind that of
 * the one that rings would turn the claim away as too early, and the next ring is a whole interval off.
 */
export function atOnce(now: Date): Date {
  return plus(now, -CLOCKS_APART_MS);
}

/** A task that nobody has had yet, rung for at once. */
export function newTask(now: Date): Task {
  return { ringAt: now, notBefore: atOnce(now), rings: 0 };
}

/** The task without an owner, looked at from `at` on. */
export function unowned<T extends Task>(task: T, at: Date, notBefore: Date = at): T {
  const { claim: _claim, worker: _worker, leaseUntil: _leaseUntil, started: _started, ...rest } = task;
  return { ...(rest as T), ringAt: at, notBefore };
}

/** The task without an owner: whoever comes may claim it once the delay is over. */
export function requeued<T extends Task>(task: T, now: Date, delayMs = 0): T {
  const at = plus(now, delayMs);
  return unowned(task, at, delayMs === 0 ? atOnce(now) : at);
}

/** Whether the task waits for a worker, and its time has come (T3). */
export function isClaimable<D extends Tasked>(document: D, now: Date): document is WithTask<D> {
  const { task } = document;
  return task !== null && task.claim === undefined && task.notBefore <= now;
}

/** Whether the task is held under this claim and fence (T4). */
export function isHeldBy<D extends Tasked>(document: D, { claim, fence }: Holder): document is WithTask<D> {
  return document.task?.claim === claim && (fence === undefined || fence === document.fence);
}

/** Whether the lease ended so long ago that its owner cannot be at work any more. */
export function isReapable<D extends Tasked>(
  document: D,
  now: Date,
  { reapMarginMs }: Pick<TaskLimits, 'reapMarginMs'>,
): document is WithTask<D> {
  const { task } = document;
  return task?.leaseUntil !== undefined && plus(task.leaseUntil, reapMarginMs) < now;
}

/** Rings for work that waits (T2); undefined where it is not due, or its owner is to be reaped first. */
export function ringTask<D extends Tasked>(
  document: D,
  now: Date,
  limits: Pick<TaskLimits, 'ringMs' | 'reapMarginMs'>,
): WithTask<D> | undefined {
  const { task } = document;
  if (task === null || task.ringAt > now || isReapable(document, now, limits)) return undefined;
  return { ...document, task: { ...task, ringAt: plus(now, limits.ringMs), rings: task.rings + 1 } };
}

/** Grants a claimable task: it is the claimant's, under a new fence (T3). */
export function grantTask<D extends Tasked>(
  document: WithTask<D>,
  { claim, worker }: Claimant,
  now: Date,
  limits: TaskLimits,
): WithTask<D> {
  return leased({ ...document, fence: document.fence + 1, task: { ...document.task, claim, worker } }, now, limits);
}

/** Keeps the lease of a task that is held (T4); undefined where it is lost. */
export function renewTask<D extends Tasked>(
  document: D,
  holder: Holder,
  now: Date,
  limits: TaskLimits,
): WithTask<D> | undefined {
  return isHeldBy(document, holder) ? leased(document, now, limits) : undefined;
}

/**
 * Gives a task back that is held (T4); undefined where it is lost.
 *
 * @param notBefore at once when left out
 */
export function releaseTask<D extends Tasked>(
  document: D,
  holder: Holder,
  now: Date,
  notBefore: Date = atOnce(now),
): WithTask<D> | undefined {
  return isHeldBy(document, holder) ? { ...document, task: unowned(document.task, now, notBefore) } : undefined;
}

/**
 * Takes the task from an owner whose lease is long over; undefined where there is none.
 *
 * @param notBefore at once when left out
 */
export function reapTask<D extends Tasked>(
  document: D,
  now: Date,
  limits: Pick<TaskLimits, 'reapMarginMs'>,
  notBefore: Date = atOnce(now),
): WithTask<D> | undefined {
  return isReapable(document, now, limits) ? { ...document, task: unowned(document.task, now, notBefore) } : undefined;
}

/** It rings again when a dead owner could have been reaped. */
function leased<D extends Tasked>(
  document: WithTask<D>,
  now: Date,
  { leaseMs, reapMarginMs }: TaskLimits,
): WithTask<D> {
  const leaseUntil = plus(now, leaseMs);
  const ringAt = plus(leaseUntil, reapMarginMs * RING_AFTER_REAP);
  return { ...document, task: { ...document.task, leaseUntil, ringAt } };
}
