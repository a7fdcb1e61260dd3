/**
 * Which moves of a storage a backup has come along with: pure.
 *
 * A move is of a place, and was proven at an instant. A backup follows those that came after its place was taken down, one
 * after the other in the order of their time. So it always ends somewhere, also where a storage was moved back and forth,
 * and a place that is registered again is a place again for what is backed up to it then.
 */
import type { Backup, StorageLocation, StorageSnapshot } from './backup.ts';
import { rootOf } from './backup-path.ts';
import { placeOf } from './storage-location.ts';

/** What lay at a place lies elsewhere since. */
export interface Move {
  /** Where it lies, as the storage was registered then. */
  readonly storage: StorageLocation;
  readonly at: Date;
  /** The check that proved it. */
  readonly check: string;
}

/** The moves of each place of one storage, as `placeOf` names them, the earliest first. */
export type Moves = ReadonlyMap<string, readonly Move[]>;

/** What a place is found out from. */
export type Placed = Pick<Backup, 'storage' | 'basePath' | 'createTime'>;

/** Where the files of a backup are, after all moves: its own snapshot where there was none. */
export const located = (backup: Placed, moves: Moves): StorageSnapshot => follow(backup, moves).location;

/** How a backup came to where it is. */
export interface Followed {
  readonly location: StorageSnapshot;
  /** When it last came along with a move; undefined where it never did. */
  readonly movedAt: Date | undefined;
  /** Where it was before, the earliest first. */
  readonly before: readonly StorageSnapshot[];
}

/** Where the files of a backup are and were, move by move. */
export function follow({ storage, basePath, createTime }: Placed, moves: Moves): Followed {
  const root = rootOf(basePath);
  let location = storage;
  let since = storage.takenAt ?? createTime;
  let movedAt: Date | undefined;
  const before: StorageSnapshot[] = [];
  for (;;) {
    const next = moves.get(placeOf(location, root))?.find(({ at }) => at > since);
    if (!next) return { location, movedAt, before };
    before.push(location);
    location = { id: storage.id, maxConcurrent: storage.maxConcurrent, ...next.storage };
    movedAt = since = next.at;
  }
}
