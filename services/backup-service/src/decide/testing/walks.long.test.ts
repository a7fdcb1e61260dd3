/**
 * Long histories of many faults, picked by chance: each ends with all backups at rest and no invariant broken, and the
 * real store over the real database does to its documents what `decide` says.
 */
import { randomUUID } from 'node:crypto';
import { openDatabase } from '@tidemark/mongo/database';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import fc from 'fast-check';
import type { Db } from 'mongodb';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import type { Backup, StorageSnapshot } from '../../backup.ts';
import { BACKUP_INDEXES, createBackupStore } from '../../backup-store.ts';
import { createFinishedBackups, FINISHED_INDEXES } from '../../finished-backups.ts';
import { createOccupants } from '../../occupants.ts';
import { digestOf, type Presence } from '../../presence.ts';
import { createSlots, SLOT_INDEXES } from '../../slots.ts';
import type { Peer } from '../command.ts';
import { decide } from '../decide.ts';
import { hold, OF_A_DOCUMENT } from './invariants.ts';
import { walk } from './walk.ts';
import { type Asked, beginning, type Setting, type World } from './world.ts';
import { ALL, PEACE } from './worlds.ts';

/** Each run of the tests takes other histories, so that few of them come to many. */
const IS_LONG = process.env.TIDEMARK_LONG_TESTS === '1';
const PURE = IS_LONG ? { numRuns: 100_000, interruptAfterTimeLimit: 8_000 } : { numRuns: 400 };
const STORED = IS_LONG ? { numRuns: 10_000, interruptAfterTimeLimit: 15_000 } : { numRuns: 3 };
const DAY_MS = 86_400_000;
const ABREAST = 8;
/** How many commands come once for each that comes twice. */
const EACH = 5;
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const signal = new AbortController().signal;

const settings = fc.record({
  backups: fc.constantFrom(1, 2),
  further: fc.constantFrom(0, 1, 2),
  workers: fc.constantFrom(1, 2, 3),
  lock: fc.boolean(),
  slots: fc.constantFrom(undefined, 1),
  faults: fc.integer({ min: 1, max: 8 }),
  wishes: fc.nat(8),
  fault: fc.subarray([...ALL], { minLength: 1 }),
  failureLimit: fc.constantFrom(2, 3),
  lossLimit: fc.constantFrom(1, 2, 5),
  trashMs: fc.constantFrom(undefined, DAY_MS),
});
const picks = fc.array(fc.nat(1_000_000), { minLength: 20, maxLength: 200, size: 'max' });
const WISHES: Setting['wish'] = [
  ...(['cancel', 'delete', 'retention', 'pin', 'unpin', 'nudge', 'start'] as const),
  ...(['forget', 'forgetGone', 'rebuild', 'retry', 'undelete', 'deleteForGood'] as const),
];

let db: Db;
const stack = new AsyncDisposableStack();
beforeAll(async () => {
  const database = `walks-${randomUUID()}`;
  const options = { url: inject('mongodbUrl'), database, appName: 'walks.test', log: quiet };
  const opened = stack.use(await openDatabase(options, [...BACKUP_INDEXES, ...FINISHED_INDEXES, ...SLOT_INDEXES]));
  await vi.waitFor(() => opened.checks.indexes(signal), { timeout: 20_000 });
  db = opened.db;
  stack.defer(() => dropTestDatabase(db));
});
afterAll(() => stack.disposeAsync());

it('comes to rest after any history, with no invariant broken on the way', () => {
  let histories = 0;
  fc.assert(
    fc.property(settings, picks, (setting, way) => {
      histories += 1;
      const world = walk(beginning({ ...PEACE, ...setting, wish: WISHES }, decide), way);
      for (const backup of world.documents) hold(OF_A_DOCUMENT, backup);
    }),
    PURE,
  );
  console.log(`${histories} histories`);
});

/** A worker that the service heard of, as it is on record. */
const toPresence =
  (storage: StorageSnapshot) =>
  ({ instance, worker, free, outOfReach }: Peer): Presence => ({
    _id: instance,
    worker,
    pool: 'default',
    slots: 1,
    freeSlots: free ? 1 : 0,
    brVersions: [],
    running: [],
    draining: false,
    outOfReach: outOfReach ? [{ storageId: 's1', digest: digestOf(storage), since: new Date(0), ...outOfReach }] : [],
    firstSeenAt: new Date(0),
    seenAt: new Date(0),
  });

/** What is compared: how often it was written differs where a command came twice. */
const comparable = ({ revision: _, updateTime: __, ...backup }: Backup) => backup;

/** Does to the store what was done in a world, some of it twice at the same time. */
async function repeat(
  asked: readonly Asked[],
  twice: (index: number) => boolean,
  { limits, setting: { trashMs = 0 } }: World,
): Promise<void> {
  let clock = new Date(0);
  let present: readonly Presence[] = [];
  let mayUse = true;
  const store = createBackupStore(db, {
    now: () => clock,
    limits,
    slots: createSlots(db),
    occupants: createOccupants(db),
    finished: createFinishedBackups(db),
    isNeededAsBase: async () => false,
    lossOfRemoval: async () => undefined,
    trashDays: async () => trashMs / DAY_MS,
    presences: { present: async () => [...present] },
    mayUseStorage: async () => mayUse,
    places: {
      granted: async ({ storage }) => storage,
      elsewhere: async () => undefined,
      lastMove: async () => undefined,
    },
    onChanged() {},
  });
  const inserted: string[] = [];
  for (const [index, { documents, command: asks, at, answer, before, backup, denied, peers }] of asked.entries()) {
    while (inserted.length < documents) {
      const next = asked.find((one) => one.number === inserted.length)?.before;
      if (!next) throw new Error('nothing was ever asked of the document');
      expect(await store.insert(next, signal)).toBe('inserted');
      // One key, one backup: the same request again finds what is there.
      expect(await store.insert(next, signal)).not.toBe('inserted');
      inserted.push(next._id);
    }
    clock = at;
    present = peers.map(toPresence(before.storage));
    mayUse = !denied;
    // The store finds out by itself what it is told of in a world.
    const command =
      asks.kind === 'claim' && asks.outOfReach ? { ...asks, unreachable: [digestOf(before.storage)] } : asks;
    const times = twice(index) && command.kind !== 'reap' ? 2 : 1;
    const applied = await Promise.all(Array.from({ length: times }, () => store.apply(before._id, command, signal)));
    expect(applied.map((one) => one?.decision.answer)).toContainEqual(answer);
    const stored = await store.get(before._id, signal);
    if (!stored) throw new Error('the document is gone');
    hold(OF_A_DOCUMENT, stored);
    expect(comparable(stored)).toEqual(comparable(backup));
    expect(applied.filter((one) => one?.decision.ring).length).toBeLessThanOrEqual(1);
  }
}

it('is kept by the real store as `decide` says, command by command, also when commands come twice at once', async () => {
  let histories = 0;
  let commands = 0;
  const history = async (setting: Partial<Setting>, way: readonly number[], rhythm: number): Promise<void> => {
    const asked: Asked[] = [];
    const named = { ...PEACE, ...setting, wish: WISHES, name: `${randomUUID().slice(0, 8)}-` };
    const world = walk(
      beginning(named, decide, (one) => asked.push(one)),
      way,
    );
    await repeat(asked, (index) => index % EACH === rhythm, world);
    histories += 1;
    commands += asked.length;
  };
  // Some at a time: most of the time is spent waiting for the disk.
  const several = fc.array(fc.tuple(settings, picks, fc.nat(EACH - 1)), { minLength: ABREAST, maxLength: ABREAST });
  await fc.assert(
    fc.asyncProperty(several, (ways) => Promise.all(ways.map((one) => history(...one))).then(() => undefined)),
    STORED,
  );
  console.log(`${histories} histories, ${commands} commands against the store`);
});
