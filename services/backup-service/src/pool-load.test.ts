/** What metrics tell of pools, which people scale their workers and page somebody by. */
import { expect, it } from 'vitest';
import { loadOfPools, loadOfStorages, type TaskKind, type TaskSummary } from './pool-load.ts';
import type { Presence } from './presence.ts';

const NOW = new Date('2026-11-30T12:00:00Z');
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1_000);

interface Given {
  readonly pool?: string;
  readonly kind?: TaskKind;
  readonly held?: boolean;
  readonly startedAgo?: number;
  /** In how many seconds it may be claimed. */
  readonly inSeconds?: number;
  readonly storage?: { readonly id: string; readonly maxConcurrent: number };
  readonly attemptEndedAgo?: number;
}

function task({
  pool = 'default',
  kind = 'backup',
  held = false,
  startedAgo = 60,
  inSeconds = 0,
  storage = { id: 's', maxConcurrent: 0 },
  attemptEndedAgo,
}: Given = {}): TaskSummary {
  const since = ago(attemptEndedAgo ?? startedAgo);
  return { kind, pool, storage, isHeld: held, notBefore: ago(-inSeconds), since };
}

function worker(fields: Partial<Presence> = {}): Presence {
  return {
    _id: Math.random().toString(),
    worker: 'w',
    pool: 'default',
    slots: 1,
    freeSlots: 0,
    brVersions: [],
    running: [],
    draining: false,
    outOfReach: [],
    firstSeenAt: ago(100),
    seenAt: NOW,
    ...fields,
  };
}

const only = (tasks: readonly TaskSummary[], present: readonly Presence[] = []) => {
  const [load, ...others] = loadOfPools(['default'], tasks, present, NOW);
  expect(others).toEqual([]);
  return load;
};

it('tells of a pool as soon as a cluster, a worker or a task is in it, also where it has nothing to do', () => {
  const loads = loadOfPools(['named'], [task({ pool: 'tasks' })], [worker({ pool: 'workers', freeSlots: 1 })], NOW);
  expect(loads.map(({ pool }) => pool)).toEqual(['named', 'tasks', 'workers']);
  expect(loads[0]).toEqual({
    pool: 'named',
    queued: { backup: 0, remove: 0, restore: 0, verification: 0 },
    running: { backup: 0, remove: 0, restore: 0, verification: 0 },
    oldestQueuedMs: 0,
    workers: 0,
    drainingWorkers: 0,
    slots: 0,
    freeSlots: 0,
    wantedSlots: 0,
    wantedWorkers: 0,
  });
  expect(loads[1]).toMatchObject({ queued: { backup: 1 }, wantedSlots: 1, wantedWorkers: 1, workers: 0 });
  expect(loads[2]).toMatchObject({ workers: 1, slots: 1, freeSlots: 1, wantedWorkers: 0 });
});

it('wants workers for what runs while the queue is empty', () => {
  const load = only([task({ held: true }), task({ held: true }), task({ held: true })], [worker({ slots: 2 })]);
  expect(load).toMatchObject({ queued: { backup: 0 }, running: { backup: 3 }, wantedSlots: 3, wantedWorkers: 2 });
});

it('wants no worker for what its storage has no room for, nor for what rests between two tries', () => {
  const storage = { id: 'narrow', maxConcurrent: 2 };
  const tasks = [task({ storage, held: true }), task({ storage }), task({ storage }), task({ inSeconds: 300 })];
  expect(only(tasks)).toMatchObject({ queued: { backup: 3 }, wantedSlots: 2 });
});

it('wants workers for removals whose time has come', () => {
  const tasks = [
    task({ kind: 'remove' }),
    task({ kind: 'remove', inSeconds: 60 }),
    task({ kind: 'remove', held: true }),
  ];
  expect(only(tasks)).toMatchObject({
    queued: { backup: 0, remove: 1 },
    running: { remove: 1 },
    wantedSlots: 2,
    oldestQueuedMs: 0,
  });
});

it('wants slots for restores as for backups, as far as their storage has room for both', () => {
  const storage = { id: 'narrow', maxConcurrent: 2 };
  const tasks = [task({ storage, held: true, kind: 'restore' }), task({ storage }), task({ storage, kind: 'restore' })];
  expect(only(tasks)).toMatchObject({
    queued: { backup: 1, restore: 1 },
    running: { restore: 1 },
    wantedSlots: 2,
  });
  const waiting = task({ kind: 'restore', startedAgo: 400 });
  expect(only([waiting])).toMatchObject({ oldestQueuedMs: 400_000, wantedWorkers: 1 });
});

it('shows verifications that wait and run, and wants no slot for them', () => {
  const tasks = [task({ kind: 'verification', startedAgo: 900 }), task({ kind: 'verification', held: true })];
  const running = [{ kind: 'verification', id: 'b', clusterId: 'c', since: NOW }];
  expect(only(tasks, [worker({ draining: true, running })])).toMatchObject({
    queued: { verification: 1 },
    running: { verification: 1 },
    oldestQueuedMs: 0,
    wantedSlots: 0,
  });
});

it('counts a worker that drains neither as present nor its tasks as wanting another', () => {
  const running = [
    { kind: 'backup', id: 'b', clusterId: 'c', since: NOW },
    { kind: 'probe', id: 'p', clusterId: '', since: NOW },
  ];
  const load = only([task({ held: true }), task()], [worker({ draining: true, running })]);
  expect(load).toMatchObject({ workers: 0, drainingWorkers: 1, slots: 0, freeSlots: 0, wantedSlots: 1 });
});

it('sees slots and free slots of all workers, and does not take one without a br for a small one', () => {
  const load = only(
    [task(), task(), task(), task(), task()],
    [worker({ slots: 4, freeSlots: 3 }), worker({ slots: 0, freeSlots: 0 })],
  );
  expect(load).toMatchObject({ workers: 2, slots: 4, freeSlots: 3, wantedSlots: 5, wantedWorkers: 2 });
});

it('counts how long a backup has been Queued since its last try, whoever gave it back meanwhile', () => {
  const tried = task({ startedAgo: 9_000, attemptEndedAgo: 700, inSeconds: 300 });
  expect(only([task({ startedAgo: 500 }), tried])).toMatchObject({ oldestQueuedMs: 700_000 });
  expect(only([task({ held: true, startedAgo: 9_000 })])).toMatchObject({ oldestQueuedMs: 0 });
});

it('tells what waits and runs of each storage, over all pools, also where it has nothing to do', () => {
  const storage = { id: 'nfs', maxConcurrent: 1 };
  const tasks = [
    task({ storage }),
    task({ storage, pool: 'night', held: true }),
    task({ storage, kind: 'restore' }),
    task({ storage, kind: 'remove', inSeconds: 60 }),
    task({ storage, kind: 'verification', held: true }),
    task({ kind: 'remove' }),
  ];
  const none = { backup: 0, remove: 0, restore: 0, verification: 0 };
  expect(loadOfStorages(['idle', 'nfs'], tasks, NOW)).toEqual([
    { storageId: 'idle', queued: none, running: none },
    { storageId: 'nfs', queued: { ...none, backup: 1, restore: 1 }, running: { ...none, backup: 1, verification: 1 } },
    { storageId: 's', queued: { ...none, remove: 1 }, running: none },
  ]);
});
