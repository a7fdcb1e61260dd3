/**
 * Work of a worker on a storage beside backups, as one document: a probe, or a look for manifests.
 * What may happen to it is decided here; nothing else writes these fields.
 *
 * Q1. A check has a task until it is Done, which only its pool can claim (T3, T4: packages/task).
 * Q2. One that was lost is simply run again: what it does can be done twice. After `RERUNS` it is Done and not ok.
 * Q3. A probe has a part for each worker that is present, which only that one can claim, so that each is heard. What a part
 *     finds is shown with the whole; one that is not taken within `UNHEARD_MS` is Done, and says that its worker is silent.
 * Q4. One that no worker takes within `UNTAKEN_MS` is Done and not ok, so that every check ends.
 * Q5. One that its worker gives back, since it stops, waits for another worker; a part, which no other may do, is Done, and
 *     says nothing about the storage.
 */
import { MAX_CHECK_STEPS } from '@tidemark/limits/limits';
import {
  CLOCKS_APART_MS,
  grantTask,
  isClaimable,
  isHeldBy,
  newTask,
  reapTask,
  releaseTask,
  renewTask,
  ringTask,
  type Task,
  type TaskLimits,
} from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import type { StorageSnapshot } from './backup.ts';
import type { OlderPlace } from './storage-places.ts';

export type CheckKind = 'probe' | 'rebuildDryRun' | 'rebuild';
export type CheckState = 'Queued' | 'Running' | 'Done';

export interface CheckStep {
  readonly name: string;
  readonly ok: boolean;
  /** A sentence. */
  readonly message: string;
  readonly seconds: number;
}

/** A place that an admin says was moved, as it was known when the check was asked for. */
export interface MovedPlace extends OlderPlace {
  /** Of the marker there; empty where none is known. */
  readonly number: string;
  /** By which the storage is known where it is now, with the root of that place. */
  readonly instead: string;
  /** How many moves of that place there were. */
  readonly moves: number;
}

export interface StorageCheck {
  readonly _id: string;
  readonly kind: CheckKind;
  readonly storageId: string;
  /** The storage as it was when the check was asked for; no secrets. */
  readonly storage: StorageSnapshot & { readonly root: string };
  readonly pool: string;
  /** Of a part: the check that it is a part of, and the run of a worker that is to do it. */
  readonly part?: { readonly of: string; readonly instance: string; readonly worker: string };
  /** An admin says that what is there is the storage, instead of what the storage was known by then. */
  readonly adopt?: { readonly instead: string };
  /** An admin says that what lay at older places was moved here. */
  readonly moved?: { readonly places: readonly MovedPlace[] };
  readonly state: CheckState;
  /** Meaningful once Done. */
  readonly ok: boolean;
  /** The first 1000. */
  readonly steps: readonly CheckStep[];
  readonly totalSteps: number;
  readonly task: Task | null;
  /** Number of the last grant; only grows. */
  readonly fence: number;
  readonly losses: number;
  /** Who took it last; empty before. */
  readonly worker: string;
  /** Which run of that worker, where it says so. */
  readonly instance?: string;
  /** The claim that ended it, so that a repeat is answered as the first time. */
  readonly endedBy: string | null;
  readonly createdBy: string;
  readonly requestId: string;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly endTime: Date | null;
  readonly revision: number;
}

interface Found {
  readonly steps: readonly CheckStep[];
  /** How many there were in all. */
  readonly totalSteps: number;
}

export type CheckCommand =
  | { readonly kind: 'ring' }
  | { readonly kind: 'reap' }
  | {
      readonly kind: 'claim';
      readonly claim: string;
      readonly worker: string;
      readonly pool: string;
      readonly instance?: string;
    }
  | { readonly kind: 'release'; readonly claim: string; readonly fence?: number }
  | ({ readonly kind: 'renew'; readonly claim: string; readonly fence: number } & Found)
  | ({ readonly kind: 'complete'; readonly claim: string; readonly fence: number; readonly ok: boolean } & Found);

/** What a command does: the document after it (absent: no change), and whether the caller holds the check. */
export interface CheckDecision {
  readonly answer: 'ok' | 'held' | 'lost';
  readonly next?: StorageCheck;
  /** Publish a RunCommand, now that the document says so. */
  readonly ring?: true;
}

const RERUNS = 3;
const UNTAKEN_MS = 600_000;
/** The caller waits a little longer than this. */
const UNHEARD_MS = 20_000;
const PART_RING_MS = 5_000;

const OK: CheckDecision = { answer: 'ok' };
const LOST: CheckDecision = { answer: 'lost' };

/** The step of a worker that was not heard. */
const SILENT = 'claim';
/** The step of a worker that stopped before its part was done. */
const STOPPED = 'stopped';
/** The step that looks for what was moved. */
const MOVED = 'moved';

/** Whether the worker of a part was not heard, or stopped before: then it says nothing about the storage. */
export function isSilent({ part, fence, steps }: StorageCheck): boolean {
  const last = steps.at(-1)?.name;
  return part !== undefined && (last === STOPPED || (fence === 0 && last === SILENT));
}

/** The document of a new check: Queued, and rung for at once. */
export function newCheck(
  asked: Pick<
    StorageCheck,
    '_id' | 'kind' | 'storageId' | 'storage' | 'pool' | 'part' | 'adopt' | 'moved' | 'createdBy' | 'requestId'
  >,
  now: Date,
): StorageCheck {
  return {
    ...asked,
    state: 'Queued',
    ok: false,
    steps: [],
    totalSteps: 0,
    task: newTask(now),
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
export function decideCheck(check: StorageCheck, command: CheckCommand, now: Date, limits: TaskLimits): CheckDecision {
  switch (command.kind) {
    case 'ring':
      return ring(check, now, limits);
    case 'reap':
      return reap(check, now, limits);
    case 'claim':
      return claim(check, command, now, limits);
    case 'release':
      return release(check, command, now);
    case 'renew':
      return renew(check, command, now, limits);
    case 'complete':
      return complete(check, command, now);
  }
}

/** Whether no worker has taken the check for so long that it ends without one. */
function isUntaken({ part, task }: StorageCheck, now: Date): boolean {
  if (!task || task.claim !== undefined) return false;
  const waitsSince = plus(task.notBefore, CLOCKS_APART_MS); // rung for at once
  return plus(waitsSince, part ? UNHEARD_MS : UNTAKEN_MS) < now;
}

function ring(check: StorageCheck, now: Date, { ringMs, ...limits }: TaskLimits): CheckDecision {
  const partMs = check.part ? Math.min(PART_RING_MS, ringMs) : ringMs;
  const rung = isUntaken(check, now) ? undefined : ringTask(check, now, { ...limits, ringMs: partMs });
  return rung ? { answer: 'ok', next: rung, ring: true } : OK;
}

function reap(check: StorageCheck, now: Date, limits: TaskLimits): CheckDecision {
  const { losses, pool, part } = check;
  if (part && isUntaken(check, now)) {
    const message = `Worker ${part.worker} did not answer within ${UNHEARD_MS / 1_000} s: does it still run?`;
    return { answer: 'ok', next: { ...givenUp(check, SILENT, message, now), worker: part.worker } };
  }
  if (isUntaken(check, now)) {
    const message = `No worker of pool ${pool} took it: is one running, and not busy all the time?`;
    return { answer: 'ok', next: givenUp(check, 'claim', message, now) };
  }
  const reaped = reapTask(check, now, limits);
  if (!reaped) return OK;
  const lost: StorageCheck = { ...reaped, losses: losses + 1 };
  if (lost.losses > RERUNS) {
    const message = `Its worker was lost ${lost.losses} times, the last time ${check.worker}: look into the logs of the workers.`;
    return { answer: 'ok', next: givenUp(lost, 'finish', message, now) };
  }
  return { answer: 'ok', next: { ...lost, state: 'Queued', steps: [], totalSteps: 0 } };
}

/** Done and not ok, with what was found so far and a last step that says why. */
function givenUp(check: StorageCheck, name: string, message: string, now: Date): StorageCheck {
  const last: CheckStep = { name, ok: false, message, seconds: 0 };
  return {
    ...check,
    state: 'Done',
    ok: false,
    steps: [...check.steps.slice(0, MAX_CHECK_STEPS - 1), last],
    totalSteps: check.totalSteps + 1,
    task: null,
    endTime: now,
  };
}

function claim(
  check: StorageCheck,
  { claim: token, worker, pool, instance }: Extract<CheckCommand, { kind: 'claim' }>,
  now: Date,
  limits: TaskLimits,
): CheckDecision {
  const held = renewTask(check, { claim: token }, now, limits);
  if (held) return { answer: 'held', next: held };
  const { part } = check;
  if (!isClaimable(check, now) || pool !== check.pool || (part && part.instance !== instance)) return LOST;
  const granted = grantTask(check, { claim: token, worker }, now, limits);
  return {
    answer: 'held',
    next: { ...granted, state: 'Running', worker, ...(instance !== undefined && { instance }) },
  };
}

function release(check: StorageCheck, command: Extract<CheckCommand, { kind: 'release' }>, now: Date): CheckDecision {
  if (check.endedBy === command.claim) return { answer: 'held' };
  const released = releaseTask(check, command, now);
  if (!released) return LOST;
  const again: StorageCheck = { ...released, state: 'Queued', steps: [], totalSteps: 0 };
  if (!check.part) return { answer: 'held', next: again };
  const message = `Worker ${check.worker} stopped before it was done: check again.`;
  return { answer: 'held', next: { ...givenUp(again, STOPPED, message, now), endedBy: command.claim } };
}

function renew(
  check: StorageCheck,
  command: Extract<CheckCommand, { kind: 'renew' }>,
  now: Date,
  limits: TaskLimits,
): CheckDecision {
  const held = renewTask(check, command, now, limits);
  if (!held) return LOST;
  const { steps, totalSteps } = command;
  return { answer: 'held', next: { ...held, steps: steps.slice(0, MAX_CHECK_STEPS), totalSteps } };
}

function complete(check: StorageCheck, command: Extract<CheckCommand, { kind: 'complete' }>, now: Date): CheckDecision {
  const { claim: token, ok, steps, totalSteps } = command;
  if (check.endedBy === token) return { answer: 'held' };
  if (!isHeldBy(check, command)) return LOST;
  const ended = { ...check, steps: steps.slice(0, MAX_CHECK_STEPS), totalSteps, endedBy: token };
  // A worker of an earlier version does not know what it was asked for.
  if (check.moved && ok && !steps.some(({ name }) => name === MOVED)) {
    const message = `Worker ${check.worker} is of an earlier version, which cannot look for what was moved: update it, and check again.`;
    return { answer: 'held', next: givenUp(ended, MOVED, message, now) };
  }
  return { answer: 'held', next: { ...ended, state: 'Done', ok, task: null, endTime: now } };
}
