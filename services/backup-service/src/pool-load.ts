/** How much each pool of workers and each storage has to do, and who is there to do it; pure. */
import type { StorageSnapshot } from './backup.ts';
import type { Presence } from './presence.ts';

/** What workers do that is on record as a task. */
export const TASK_KINDS = ['backup', 'remove', 'restore', 'verification'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

/** Of a backup, a restore or a verification with a task, what counts here. */
export interface TaskSummary {
  readonly kind: TaskKind;
  readonly pool: string;
  readonly storage: Pick<StorageSnapshot, 'id' | 'maxConcurrent'>;
  /** A worker has it. */
  readonly isHeld: boolean;
  readonly notBefore: Date;
  /** Since when it has waited, where it waits: since it was asked for or last tried. */
  readonly since: Date;
}

export interface PoolLoad {
  readonly pool: string;
  /** Backups, restores and verifications that are `Queued`, those between two tries too; removals whose time has come. */
  readonly queued: Readonly<Record<TaskKind, number>>;
  /** What workers hold. */
  readonly running: Readonly<Record<TaskKind, number>>;
  /** For how long the backup or restore that has waited longest has been `Queued`, in milliseconds; 0 where none is. */
  readonly oldestQueuedMs: number;
  /** Present, and not draining. */
  readonly workers: number;
  readonly drainingWorkers: number;
  /** Of those workers; one without a `br` that works has none. */
  readonly slots: number;
  readonly freeSlots: number;
  /** So many could be filled now: what runs on workers that stay, and what may begin, as far as storages have room for it. */
  readonly wantedSlots: number;
  /** So many workers have that many slots, each as large as those that are there, or with one slot where none is. */
  readonly wantedWorkers: number;
}

/** What waits and runs of a storage, whatever its pools: counted as of a pool. */
export interface StorageLoad extends Pick<PoolLoad, 'queued' | 'running'> {
  readonly storageId: string;
}

/**
 * The load of every pool that is named, has a worker, or has a task.
 *
 * @param pools names of pools that exist whatever they have
 * @param present those that reported themselves a moment ago
 * @param now database time
 */
export function loadOfPools(
  pools: readonly string[],
  tasks: readonly TaskSummary[],
  present: readonly Presence[],
  now: Date,
): PoolLoad[] {
  const tasksOf = Map.groupBy(tasks, ({ pool }) => pool);
  const workersOf = Map.groupBy(present, ({ pool }) => pool);
  const room = roomOf(tasks);
  const names = new Set([...pools, ...tasksOf.keys(), ...workersOf.keys()]);
  return [...names].sort().map((pool) => loadOf(pool, tasksOf.get(pool) ?? [], workersOf.get(pool) ?? [], room, now));
}

/**
 * The load of every storage that is named, or has a task.
 *
 * @param storages ids of storages that exist whatever they have
 * @param now database time
 */
export function loadOfStorages(storages: readonly string[], tasks: readonly TaskSummary[], now: Date): StorageLoad[] {
  const tasksOf = Map.groupBy(tasks, ({ storage }) => storage.id);
  const ids = new Set([...storages, ...tasksOf.keys()]);
  return [...ids].sort().map((storageId) => ({ storageId, ...countsOf(tasksOf.get(storageId) ?? [], now) }));
}

/** How many more backups and restores each storage has room for; a storage may serve several pools. */
function roomOf(tasks: readonly TaskSummary[]): (storage: TaskSummary['storage']) => number {
  const running = new Map<string, number>();
  for (const one of tasks) {
    if (!takesPlace(one) || !one.isHeld) continue;
    running.set(one.storage.id, (running.get(one.storage.id) ?? 0) + 1);
  }
  return ({ id, maxConcurrent }) =>
    maxConcurrent === 0 ? Number.POSITIVE_INFINITY : Math.max(0, maxConcurrent - (running.get(id) ?? 0));
}

function loadOf(
  pool: string,
  tasks: readonly TaskSummary[],
  present: readonly Presence[],
  room: ReturnType<typeof roomOf>,
  now: Date,
): PoolLoad {
  const waiting = tasks.filter(({ isHeld }) => !isHeld);
  const due = waiting.filter(isDue(now));
  const held = tasks.filter(({ isHeld }) => isHeld);
  const taking = present.filter(({ draining }) => !draining);
  const leaving = present.filter(({ draining }) => draining);
  const slots = sum(taking.map((one) => one.slots));
  // Without a `br` that works a worker has no slots.
  const able = taking.filter((one) => one.slots > 0).length;
  const inSlots = held.filter(({ kind }) => kind !== 'verification').length;
  const stays = Math.max(0, inSlots - sum(leaving.map(tasksAt)));
  const wantedSlots = stays + kindOf(due, 'remove').length + startable(due.filter(takesPlace), room);
  return {
    pool,
    ...countsOf(tasks, now),
    oldestQueuedMs: Math.max(0, ...waiting.filter(takesPlace).map(({ since }) => now.getTime() - since.getTime())),
    workers: taking.length,
    drainingWorkers: leaving.length,
    slots,
    freeSlots: sum(taking.map((one) => one.freeSlots)),
    wantedSlots,
    wantedWorkers: Math.ceil(wantedSlots / (able > 0 ? slots / able : 1)),
  };
}

function countsOf(tasks: readonly TaskSummary[], now: Date): Pick<PoolLoad, 'queued' | 'running'> {
  const waiting = tasks.filter(({ isHeld }) => !isHeld);
  const held = tasks.filter(({ isHeld }) => isHeld);
  const due = waiting.filter(isDue(now));
  return {
    queued: byKind((kind) => kindOf(kind === 'remove' ? due : waiting, kind).length),
    running: byKind((kind) => kindOf(held, kind).length),
  };
}

const isDue =
  (now: Date) =>
  ({ notBefore }: Pick<TaskSummary, 'notBefore'>) =>
    notBefore <= now;

/** Whether it takes one of the places that its storage may have a limit of. */
const takesPlace = ({ kind }: Pick<TaskSummary, 'kind'>) => kind === 'backup' || kind === 'restore';
/** Verifications are done beside the slots. */
const IN_SLOTS: readonly string[] = ['backup', 'remove', 'restore'] satisfies TaskKind[];
const tasksAt = ({ running }: Presence) => running.filter(({ kind }) => IN_SLOTS.includes(kind)).length;
const kindOf = (tasks: readonly TaskSummary[], wanted: TaskKind) => tasks.filter(({ kind }) => kind === wanted);
const byKind = (count: (kind: TaskKind) => number) =>
  Object.fromEntries(TASK_KINDS.map((kind) => [kind, count(kind)])) as Record<TaskKind, number>;

/** How many of these could begin now, as their storages have room. */
function startable(due: readonly TaskSummary[], room: ReturnType<typeof roomOf>): number {
  const byStorage = Map.groupBy(due, ({ storage }) => storage.id);
  return sum([...byStorage.values()].map((some) => Math.min(some.length, ...some.map(({ storage }) => room(storage)))));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
