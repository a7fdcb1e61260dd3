/** How much each pool of workers has to do, and who is there to do it; pure. */
import type { Backup, Task } from './backup.ts';
import type { Presence } from './presence.ts';

/** Of a backup with a task, what counts here. */
export interface TaskSummary extends Pick<Backup, 'state' | 'startTime'> {
  readonly target: Pick<Backup['target'], 'pool'>;
  readonly storage: Pick<Backup['storage'], 'id' | 'maxConcurrent'>;
  readonly task: Pick<Task, 'kind' | 'claim' | 'notBefore'>;
  readonly attempts: readonly Pick<Backup['attempts'][number], 'endedAt'>[];
}

export type TaskKind = Task['kind'];

export interface PoolLoad {
  readonly pool: string;
  /** Backups that are `Queued`, those between two tries too; removals whose time has come. */
  readonly queued: Readonly<Record<TaskKind, number>>;
  /** What workers hold. */
  readonly running: Readonly<Record<TaskKind, number>>;
  /** For how long the backup that has waited longest has been `Queued`, in milliseconds; 0 where none is. */
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

const isOwned = ({ task }: TaskSummary) => task.claim !== undefined;
const since = ({ attempts, startTime }: TaskSummary) => attempts.at(-1)?.endedAt ?? startTime;

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
  const tasksOf = Map.groupBy(tasks, ({ target }) => target.pool);
  const workersOf = Map.groupBy(present, ({ pool }) => pool);
  const room = roomOf(tasks);
  const names = new Set([...pools, ...tasksOf.keys(), ...workersOf.keys()]);
  return [...names].sort().map((pool) => loadOf(pool, tasksOf.get(pool) ?? [], workersOf.get(pool) ?? [], room, now));
}

/** How many more backups each storage has room for; a storage may serve several pools. */
function roomOf(tasks: readonly TaskSummary[]): (storage: TaskSummary['storage']) => number {
  const running = new Map<string, number>();
  for (const one of tasks) {
    if (one.task.kind !== 'backup' || !isOwned(one)) continue;
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
  const due = tasks.filter((one) => !isOwned(one) && one.task.notBefore <= now);
  const waiting = tasks.filter((one) => !isOwned(one) && one.task.kind === 'backup');
  const held = tasks.filter(isOwned);
  const taking = present.filter(({ draining }) => !draining);
  const leaving = present.filter(({ draining }) => draining);
  const slots = sum(taking.map((one) => one.slots));
  // Without a `br` that works a worker has no slots.
  const able = taking.filter((one) => one.slots > 0).length;
  const stays = Math.max(0, held.length - sum(leaving.map(tasksAt)));
  const wantedSlots = stays + kindOf(due, 'remove').length + startable(kindOf(due, 'backup'), room);
  return {
    pool,
    queued: { backup: waiting.length, remove: kindOf(due, 'remove').length },
    running: { backup: kindOf(held, 'backup').length, remove: kindOf(held, 'remove').length },
    oldestQueuedMs: Math.max(0, ...waiting.map((one) => now.getTime() - since(one).getTime())),
    workers: taking.length,
    drainingWorkers: leaving.length,
    slots,
    freeSlots: sum(taking.map((one) => one.freeSlots)),
    wantedSlots,
    wantedWorkers: Math.ceil(wantedSlots / (able > 0 ? slots / able : 1)),
  };
}

const tasksAt = ({ running }: Presence) => running.filter(({ kind }) => kind === 'backup' || kind === 'remove').length;
const kindOf = (tasks: readonly TaskSummary[], kind: TaskKind) => tasks.filter(({ task }) => task.kind === kind);

/** How many of these could begin now, as their storages have room. */
function startable(due: readonly TaskSummary[], room: ReturnType<typeof roomOf>): number {
  const byStorage = Map.groupBy(due, ({ storage }) => storage.id);
  return sum([...byStorage.values()].map((some) => Math.min(some.length, ...some.map(({ storage }) => room(storage)))));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
