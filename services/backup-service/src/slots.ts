/**
 * Which backups get the slots of a storage that runs only so many at once.
 *
 * Q1. Slots go to the backups that were accepted first, of those that could be claimed now; `_id` decides between two of
 *     one instant.
 * Q2. Each pool has a line of its own: one without workers keeps nobody else waiting.
 * Q3. The order is a courtesy that may be late, the unique `slotKey` is the limit (T6): what is read here may be old when
 *     the claim is written.
 */

import { MAX_IN_LINE } from '@tidemark/limits/limits';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { persist } from '@tidemark/mongo/persist';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import { plus } from '@tidemark/task/time';
import type { Db, Filter } from 'mongodb';
import type { Backup, StorageSnapshot } from './backup.ts';
import { ownKey } from './decide/vocabulary.ts';

export const SLOT_INDEXES: readonly IndexSpec[] = [
  { collection: 'backups', keys: { state: 1, 'storage.id': 1, 'target.pool': 1, startTime: 1, _id: 1 } },
];

/** Every method throws `unavailable` when the database does. */
export interface Slots {
  /**
   * A slot for the backup, or `own` where its storage has no limit; undefined while all are taken or it is not its turn.
   *
   * @param refused slots that somebody else took a moment ago
   */
  slotFor(backup: Backup, refused: ReadonlySet<string>, now: Date, signal: AbortSignal): Promise<string | undefined>;
  /** A slot for a restore, which waits in no line: `own` where the storage has no limit; undefined while all are taken. */
  anySlot(
    storage: StorageSnapshot,
    own: string,
    refused: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  /**
   * The ids of those whose turn came just now at a storage with a limit: in each pool the last few that the free slots
   * reach, since several slots may have become free at once, and the first few, which may have been rung and turned away
   * before. Each of them frees a slot again, so that those between are reached.
   */
  nextInLine(storage: StorageSnapshot, now: Date, signal: AbortSignal): Promise<string[]>;
  /** The places in line of those that wait, by id: 1 is the next. Beyond 5,000 in one line, at least that. */
  positions(backups: readonly Backup[], now: Date, signal: AbortSignal): Promise<ReadonlyMap<string, number>>;
}

/** To how many of each pool a free slot is offered, from either end of those that the free slots reach. */
const OFFERED = 3;

/** What the order is made of. */
type Waiting = Pick<Backup, '_id' | 'startTime' | 'target' | 'storage' | 'task'>;

/** A damaged record may lack what puts it into a line. */
type Lined = Partial<Pick<Waiting, 'target' | 'storage' | 'startTime'>>;
const hasPlace = ({ target, storage, startTime }: Lined) =>
  typeof target?.pool === 'string' && typeof storage?.maxConcurrent === 'number' && startTime instanceof Date;

/** Over the collection `backups`, which it only reads. */
export function createSlots(db: Db): Slots {
  const backups = db.collection<Backup>('backups');

  async function freeSlots({ id, maxConcurrent }: StorageSnapshot, signal: AbortSignal): Promise<string[]> {
    const slots = Array.from({ length: maxConcurrent }, (_, index) => `storage:${id}:${index + 1}`);
    const taken = await backups
      .find({ slotKey: { $in: slots } }, { projection: { slotKey: 1 }, signal })
      .map(({ slotKey }) => slotKey)
      .toArray();
    return slots.filter((slot) => !taken.includes(slot));
  }

  /** Those that could be claimed now and were accepted until `last`, the first of them first. */
  async function waiting(line: Filter<Backup>, last: Date, now: Date, signal: AbortSignal): Promise<Waiting[]> {
    const fields = { startTime: 1, 'target.pool': 1, 'storage.id': 1, 'storage.maxConcurrent': 1, 'task.notBefore': 1 };
    // The next millisecond, excluded: some servers take what equals the upper bound of a part of an index for beyond it.
    const range = { $gt: EPOCH, $lt: plus(last, 1) };
    const found: Waiting[] = await backups
      .find({ state: 'Queued', ...line, startTime: range }, { projection: fields, signal })
      .sort({ startTime: 1, _id: 1 })
      .limit(MAX_IN_LINE)
      .toArray();
    // Not a part of the query: with a second range some servers leave the index.
    return found.filter((one) => hasPlace(one) && one.task && one.task.notBefore <= now);
  }

  return {
    async slotFor(backup, refused, now, signal) {
      const { storage, target, startTime } = backup;
      if (!isLimited(backup)) return ownKey(backup);
      const free = (await freeSlots(storage, signal)).filter((slot) => !refused.has(slot));
      if (free.length === 0) return undefined;
      const line = await waiting({ 'storage.id': storage.id, 'target.pool': target.pool }, startTime, now, signal);
      const first = line.filter(isLimited).slice(0, free.length);
      return first.some(({ _id }) => _id === backup._id) ? free[0] : undefined;
    },

    async anySlot(storage, own, refused, signal) {
      if (storage.maxConcurrent === 0) return own;
      return (await freeSlots(storage, signal)).find((slot) => !refused.has(slot));
    },

    nextInLine: (storage, now, signal) =>
      persist(signal, async () => {
        const free = (await freeSlots(storage, signal)).length;
        if (free === 0) return [];
        const all = (await waiting({ 'storage.id': storage.id }, FAR, now, signal)).filter(isLimited);
        const lines = Map.groupBy(all, ({ target }) => target.pool);
        return [...lines.values()].flatMap((line) => {
          const reached = line.slice(0, free).map(({ _id }) => _id);
          return [...new Set([...reached.slice(0, OFFERED), ...reached.slice(-OFFERED)])];
        });
      }),

    positions: (found, now, signal) =>
      persist(signal, async () => {
        const lines = Map.groupBy(
          found.filter((one) => one.state === 'Queued' && hasPlace(one)),
          lineOf,
        );
        const places = [...lines].map(async ([name, line]) => {
          const last = new Date(Math.max(...line.map(({ startTime }) => startTime.getTime())));
          const ahead = (await waiting(membersOf(line), last, now, signal)).filter((other) => lineOf(other) === name);
          return line.map((one) => [one._id, 1 + ahead.filter((other) => isEarlier(other, one)).length] as const);
        });
        return new Map((await Promise.all(places)).flat());
      }),
  };
}

type Kind = Pick<Backup, 'storage' | 'target'>;

const isLimited = ({ storage }: Pick<Backup, 'storage'>) => storage.maxConcurrent > 0;

/** Those that share slots wait together; the others wait for a worker of their pool. */
const lineOf = (backup: Kind) => (isLimited(backup) ? `storage:${backup.storage.id}` : `pool:${backup.target.pool}`);

/** Finds those of one line, and some of others. */
function membersOf([first]: readonly Kind[]): Filter<Backup> {
  if (!first) return {};
  return isLimited(first) ? { 'storage.id': first.storage.id } : { 'target.pool': first.target.pool };
}

type Place = Pick<Backup, '_id' | 'startTime'>;

function isEarlier(one: Place, other: Place): boolean {
  const apart = one.startTime.getTime() - other.startTime.getTime();
  return apart < 0 || (apart === 0 && one._id < other._id);
}
