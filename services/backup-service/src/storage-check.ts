/**
 * Work of a worker on a storage beside backups, as one document: a probe, or a look for manifests.
 * What may happen to it is decided here; nothing else writes these fields.
 *
 * Q1. A check has a task until it is Done. Only an unowned task can be claimed, and only by its pool; each grant adds 1
 *     to `fence`, and every write of the worker carries claim and fence (T3, T4).
 * Q2. One that was lost is simply run again: what it does can be done twice. After `RERUNS` it is Done and not ok.
 * Q3. One that no worker takes within `UNTAKEN_MS` is Done and not ok, so that every check ends.
 */
import type { StorageSnapshot } from './backup.ts';
import { plus } from './decide/vocabulary.ts';

export type CheckKind = 'probe' | 'rebuildDryRun' | 'rebuild';
export type CheckState = 'Queued' | 'Running' | 'Done';

export interface CheckStep {
  readonly name: string;
  readonly ok: boolean;
  /** A sentence. */
  readonly message: string;
  readonly seconds: number;
}

/** Unfinished work. Owned while `claim` and `leaseUntil` are there. */
export interface CheckTask {
  /** When the dispatcher looks at it next. */
  readonly ringAt: Date;
  /** Since when it waits for a worker. */
  readonly notBefore: Date;
  readonly rings: number;
  readonly claim?: string;
  readonly leaseUntil?: Date;
}

export interface StorageCheck {
  readonly _id: string;
  readonly kind: CheckKind;
  readonly storageId: string;
  /** The storage as it was when the check was asked for; no secrets. */
  readonly storage: StorageSnapshot & { readonly root: string };
  readonly pool: string;
  readonly state: CheckState;
  /** Meaningful once Done. */
  readonly ok: boolean;
  /** The first 1000. */
  readonly steps: readonly CheckStep[];
  readonly totalSteps: number;
  readonly task: CheckTask | null;
  /** Number of the last grant; only grows. */
  readonly fence: number;
  readonly losses: number;
  /** Who took it last; empty before. */
  readonly worker: string;
  /** The claim that ended it, so that a repeat is answered as the first time. */
  readonly endedBy: string | null;
  readonly createdBy: string;
  readonly requestId: string;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly endTime: Date | null;
  readonly revision: number;
}

/** Durations in milliseconds; a part of service-kit's `Timing`. */
export interface CheckLimits {
  readonly leaseMs: number;
  readonly reapMarginMs: number;
  readonly ringMs: number;
}

interface Found {
  readonly steps: readonly CheckStep[];
  /** How many there were in all. */
  readonly totalSteps: number;
}

export type CheckCommand =
  | { readonly kind: 'ring' }
  | { readonly kind: 'reap' }
  | { readonly kind: 'claim'; readonly claim: string; readonly worker: string; readonly pool: string }
  | ({ readonly kind: 'renew'; readonly claim: string; readonly fence: number } & Found)
  | ({ readonly kind: 'complete'; readonly claim: string; readonly fence: number; readonly ok: boolean } & Found);

/** What a command does: the document after it (absent: no change), and whether the caller holds the check. */
export interface CheckDecision {
  readonly answer: 'ok' | 'held' | 'lost';
  readonly next?: StorageCheck;
  /** Publish a RunCommand, now that the document says so. */
  readonly ring?: true;
}

export const MOST_STEPS = 1_000;
const RERUNS = 3;
const UNTAKEN_MS = 600_000;

const OK: CheckDecision = { answer: 'ok' };
const LOST: CheckDecision = { answer: 'lost' };

/** The document of a new check: Queued, and rung for at once. */
export function newCheck(
  asked: Pick<StorageCheck, '_id' | 'kind' | 'storageId' | 'storage' | 'pool' | 'createdBy' | 'requestId'>,
  now: Date,
): StorageCheck {
  return {
    ...asked,
    state: 'Queued',
    ok: false,
    steps: [],
    totalSteps: 0,
    task: unowned(now),
    fence: 0,
    losses: 0,
    worker: '',
    endedBy: null,
    createTime: now,
    updateTime: now,
    endTime: null,
    revision: 1,
  };
}

/** What `command` does to `check` at `now` (database time). A command recognises its own effect. */
export function decideCheck(check: StorageCheck, command: CheckCommand, now: Date, limits: CheckLimits): CheckDecision {
  switch (command.kind) {
    case 'ring':
      return ring(check, now, limits);
    case 'reap':
      return reap(check, now, limits);
    case 'claim':
      return claim(check, command, now, limits);
    case 'renew':
      return renew(check, command, now, limits);
    case 'complete':
      return complete(check, command, now);
  }
}

/** Whether the check is held under this claim and fence. */
export function isCheckHeldBy({ task, fence }: StorageCheck, claim: string, asked: number): boolean {
  return task?.claim === claim && fence === asked;
}

function unowned(at: Date, rings = 0): CheckTask {
  return { ringAt: at, notBefore: at, rings };
}

function leased(task: CheckTask, now: Date, { leaseMs, reapMarginMs }: CheckLimits): CheckTask {
  const leaseUntil = plus(now, leaseMs);
  return { ...task, leaseUntil, ringAt: plus(leaseUntil, reapMarginMs * 1.2) };
}

const isReapable = ({ leaseUntil }: CheckTask, now: Date, { reapMarginMs }: CheckLimits) =>
  leaseUntil !== undefined && plus(leaseUntil, reapMarginMs) < now;

const isUntaken = ({ claim: token, notBefore }: CheckTask, now: Date) =>
  token === undefined && plus(notBefore, UNTAKEN_MS) < now;

function ring(check: StorageCheck, now: Date, limits: CheckLimits): CheckDecision {
  const { task } = check;
  if (!task || task.ringAt > now || isReapable(task, now, limits) || isUntaken(task, now)) return OK;
  const rung: CheckTask = { ...task, ringAt: plus(now, limits.ringMs), rings: task.rings + 1 };
  return { answer: 'ok', next: { ...check, task: rung }, ring: true };
}

function reap(check: StorageCheck, now: Date, limits: CheckLimits): CheckDecision {
  const { task, losses, pool } = check;
  if (!task) return OK;
  if (isUntaken(task, now)) {
    const message = `No worker of pool ${pool} took it: is one running, and not busy all the time?`;
    return { answer: 'ok', next: givenUp(check, 'claim', message, now) };
  }
  if (!isReapable(task, now, limits)) return OK;
  const lost = { ...check, losses: losses + 1 };
  if (lost.losses > RERUNS) {
    const message = `Its worker was lost ${lost.losses} times, the last time ${check.worker}: look into the logs of the workers.`;
    return { answer: 'ok', next: givenUp(lost, 'finish', message, now) };
  }
  return {
    answer: 'ok',
    next: { ...lost, state: 'Queued', steps: [], totalSteps: 0, task: unowned(now, task.rings) },
  };
}

/** Done and not ok, with what was found so far and a last step that says why. */
function givenUp(check: StorageCheck, name: string, message: string, now: Date): StorageCheck {
  const last: CheckStep = { name, ok: false, message, seconds: 0 };
  return {
    ...check,
    state: 'Done',
    ok: false,
    steps: [...check.steps.slice(0, MOST_STEPS - 1), last],
    totalSteps: check.totalSteps + 1,
    task: null,
    endTime: now,
  };
}

function claim(
  check: StorageCheck,
  { claim: token, worker, pool }: Extract<CheckCommand, { kind: 'claim' }>,
  now: Date,
  limits: CheckLimits,
): CheckDecision {
  const { task } = check;
  if (!task) return LOST;
  if (task.claim === token) return { answer: 'held', next: { ...check, task: leased(task, now, limits) } };
  if (task.claim !== undefined || pool !== check.pool) return LOST;
  const granted = leased({ ...task, claim: token }, now, limits);
  return { answer: 'held', next: { ...check, state: 'Running', worker, fence: check.fence + 1, task: granted } };
}

function renew(
  check: StorageCheck,
  { claim: token, fence, steps, totalSteps }: Extract<CheckCommand, { kind: 'renew' }>,
  now: Date,
  limits: CheckLimits,
): CheckDecision {
  if (!check.task || !isCheckHeldBy(check, token, fence)) return LOST;
  return {
    answer: 'held',
    next: { ...check, steps: steps.slice(0, MOST_STEPS), totalSteps, task: leased(check.task, now, limits) },
  };
}

function complete(
  check: StorageCheck,
  { claim: token, fence, ok, steps, totalSteps }: Extract<CheckCommand, { kind: 'complete' }>,
  now: Date,
): CheckDecision {
  if (check.endedBy === token) return { answer: 'held' };
  if (!isCheckHeldBy(check, token, fence)) return LOST;
  return {
    answer: 'held',
    next: {
      ...check,
      state: 'Done',
      ok,
      steps: steps.slice(0, MOST_STEPS),
      totalSteps,
      task: null,
      endedBy: token,
      endTime: now,
    },
  };
}
