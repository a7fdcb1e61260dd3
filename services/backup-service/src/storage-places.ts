/**
 * Where the files of backups are today, and how a worker gets in: the snapshot of each, the moves of its storage, and how
 * that is registered now.
 */

import { MAX_GOOD_PATHS } from '@tidemark/limits/limits';
import { persist } from '@tidemark/mongo/persist';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import type { Db, Filter } from 'mongodb';
import type { Backup, StorageLocation, StorageSnapshot } from './backup.ts';
import { rootOf } from './backup-path.ts';
import type { Moved } from './decide/command.ts';
import type { MarkedPlace, MarkerStore } from './marker-store.ts';
import type { Registry, StorageDocument } from './registry-store.ts';
import { enteredAs, isSamePlace, placeOf, titleOf } from './storage-location.ts';
import { follow, located, type Moves, type Placed } from './storage-moves.ts';

/** A place at which backups of a storage lie, and which is not where the storage is registered. */
export interface OlderPlace {
  /** As `placeOf` names it. */
  readonly place: string;
  readonly location: StorageLocation;
  readonly root: string;
  /** How many backups lie there, whatever became of them. */
  readonly backups: number;
  /** Paths of the newest good ones. */
  readonly good: readonly string[];
}

/** Every method throws `unavailable` when the database does. */
export interface StoragePlaces {
  /** What a worker is granted for a backup, instead of the snapshot that is on record. */
  granted(backup: Placed, signal: AbortSignal): Promise<StorageSnapshot>;
  /** That the storage is registered at another place than the backup lies in, and what to do, in a sentence. */
  elsewhere(backup: Placed, signal: AbortSignal): Promise<string | undefined>;
  /** The last move that the backup came along with, if it did with any. */
  lastMove(backup: Placed, signal: AbortSignal): Promise<Moved | undefined>;
  /** The paths of good backups of a storage at a place, the newest first, as many as the limit. */
  goodPaths(at: MarkedPlace, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Every place that holds backups of a storage and is not the registered one, the one with the most first. */
  olderThan(storageId: string, registered: StorageLocation, signal: AbortSignal): Promise<OlderPlace[]>;
  /** The id of a backup of which a worker is at the files at a place, if there is one. */
  findBusy(at: MarkedPlace, signal: AbortSignal): Promise<string | undefined>;
}

const OF_PLACE = { storage: 1, basePath: 1, path: 1, createTime: 1 } as const;
const OF_OLDER = { ...OF_PLACE, state: 1, deletion: 1, leftovers: 1, startTime: 1, 'task.claim': 1 } as const;
const NOT_GONE = ['None', 'Trashed', 'Requested', 'Deleting', 'DeleteFailed', 'Forgotten'] as const;

/** Over the collection `backups`, which it only reads. */
export function createStoragePlaces(
  db: Db,
  storages: Pick<Registry<StorageDocument>, 'get'>,
  markers: Pick<MarkerStore, 'moves'>,
  quarantine: Quarantine,
): StoragePlaces {
  const backups = db.collection<Backup>('backups');

  const find = async (backup: Placed, signal: AbortSignal) => {
    const { id } = backup.storage;
    const [registered, moves] = await Promise.all([storages.get(id, signal), markers.moves(id, signal)]);
    return { registered, place: located(backup, moves) };
  };
  /** Undefined for a backup whose record is damaged. */
  const placeIn = (backup: Pick<Backup, '_id'> & Placed, moves: Moves) =>
    quarantine.read(backup._id, () => {
      const location = located(backup, moves);
      const root = rootOf(backup.basePath);
      return { location, root, place: placeOf(location, root) };
    });
  const placed = async function* (storageId: string, filter: Filter<Backup>, signal: AbortSignal) {
    const moves = await markers.moves(storageId, signal);
    const found = backups.find({ 'storage.id': storageId, ...filter }, { projection: OF_OLDER, signal });
    for await (const backup of found) yield { backup, at: placeIn(backup, moves) };
  };

  return {
    async granted(backup, signal) {
      const { registered, place } = await find(backup, signal);
      return enteredAs(place, registered);
    },

    async elsewhere(backup, signal) {
      const { registered, place } = await find(backup, signal);
      if (!registered || isSamePlace(place, registered)) return undefined;
      const { id } = backup.storage;
      return `Storage ${id} is ${titleOf(registered)} today, and this backup is in ${titleOf(place)}, which is entered as it was then: if its files were moved, an admin of all clusters says so with POST /storages/${id}/check and {"moved": true}.`;
    },

    async lastMove(backup, signal) {
      const { movedAt, before } = follow(backup, await markers.moves(backup.storage.id, signal));
      return movedAt && { at: movedAt, from: [...new Set(before.map(titleOf))].join(', or in ') };
    },

    goodPaths: ({ storageId, place }, limit, signal) =>
      persist(signal, async () => {
        const moves = await markers.moves(storageId, signal);
        const paths: string[] = [];
        const newest = backups
          .find(
            { state: 'Succeeded', 'deletion.state': 'None', 'storage.id': storageId },
            { projection: OF_PLACE, signal },
          )
          .sort({ startTime: -1 });
        for await (const backup of newest) {
          if (placeIn(backup, moves)?.place === place) paths.push(backup.path);
          if (paths.length === limit) break;
        }
        return paths;
      }),

    olderThan: (storageId, registered, signal) =>
      persist(signal, async () => {
        const older = new Map<string, OlderPlace & { newest: { path: string; startTime: Date }[] }>();
        const filter = { 'deletion.state': { $in: [...NOT_GONE] } };
        for await (const { backup, at } of placed(storageId, filter, signal)) {
          if (!at || isSamePlace(at.location, registered)) continue;
          const { location, root, place } = at;
          const { newest = [], backups: before = 0 } = older.get(place) ?? {};
          const { path, startTime } = backup;
          if (isWhole(backup)) newest.push({ path, startTime });
          newest.sort((one, other) => other.startTime.getTime() - one.startTime.getTime()).splice(MAX_GOOD_PATHS);
          older.set(place, { place, location, root, backups: before + 1, good: [], newest });
        }
        return [...older.values()]
          .map(({ newest, ...one }) => ({ ...one, good: newest.map(({ path }) => path) }))
          .sort((one, other) => other.backups - one.backups);
      }),

    findBusy: ({ storageId, place }, signal) =>
      persist(signal, async () => {
        const filter = { 'task.ringAt': { $gt: EPOCH, $lt: FAR } };
        // A busy one whose place cannot be read may be at this one.
        for await (const { backup, at } of placed(storageId, filter, signal))
          if ((!at || at.place === place) && backup.task?.claim !== undefined) return backup._id;
        return undefined;
      }),
  };
}

/** Whether all files of a good backup must be there: nobody began to remove them. */
function isWhole({ state, deletion, leftovers, path }: Backup): boolean {
  const untouched = leftovers.some((leftover) => leftover.path === path && leftover.untouched);
  return state === 'Succeeded' && (deletion.state === 'None' || untouched);
}
