/**
 * What is found by the beginning of its id, or of its name: a range of an index each time, however many records there are.
 * The text itself comes first in such a range, so a limit leaves it in.
 */
import { ID_PATTERN } from '@tidemark/limits/id';
import { MAX_HITS_OF_A_KIND, MAX_SEARCHED } from '@tidemark/limits/limits';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { beginningWith } from '@tidemark/mongo/text-range';
import type { Db, Document } from 'mongodb';
import type { Backup } from './backup.ts';
import { persist } from './persist.ts';
import type { ClusterDocument, StorageDocument } from './registry-store.ts';
import type { Restore } from './restore/restore.ts';
import { fromStored } from './restore/stored-restore.ts';

export const SEARCH_INDEXES: readonly IndexSpec[] = [{ collection: 'clusters', keys: { name: 1 } }];

/** What a hit tells of a backup or a restore, and nothing of what is long. */
const TOLD = {
  kind: 1,
  clusterId: 1,
  state: 1,
  origin: 1,
  rule: 1,
  startTime: 1,
  'deletion.state': 1,
  'restore.state': 1,
  'restore.targetState': 1,
  'restore.source.backupId': 1,
  'restore.source.clusterId': 1,
  'restore.target.clusterId': 1,
  'restore.startTime': 1,
} as const;

export type FoundBackup = Pick<Backup, '_id' | 'clusterId' | 'state' | 'startTime'> &
  Partial<Pick<Backup, 'origin' | 'rule' | 'deletion'>>;
export type FoundRestore = Pick<Restore, '_id' | 'state' | 'targetState' | 'source' | 'target' | 'startTime'>;

/** Every method throws `unavailable` when the database does. */
export interface SearchStore {
  /** Clusters whose id or name begins so, of those of `ids`, or of all where there are none; one more than an answer has. */
  clusters(text: string, ids: readonly string[], signal: AbortSignal): Promise<ClusterDocument[]>;
  /** The same of storages, by id alone. */
  storages(text: string, signal: AbortSignal): Promise<StorageDocument[]>;
  /** Backups and restores whose id begins so; `MAX_SEARCHED` of them together. */
  runs(
    text: string,
    signal: AbortSignal,
  ): Promise<{ readonly backups: FoundBackup[]; readonly restores: FoundRestore[]; readonly isCut: boolean }>;
}

export function createSearchStore(db: Db): SearchStore {
  const clusters = db.collection<ClusterDocument>('clusters');
  const storages = db.collection<StorageDocument>('storages');
  const runs = db.collection<{ _id: string } & Document>('backups');
  const limit = MAX_HITS_OF_A_KIND + 1;
  return {
    clusters: (text, ids, signal) =>
      persist(signal, async () => {
        if (ids.length > 0) {
          // These few by their ids, whatever a server would make of two conditions.
          const own = await clusters
            .find({ _id: { $in: [...ids] } }, { signal })
            .sort({ _id: 1 })
            .toArray();
          return own.filter(({ _id, name }) => _id.startsWith(text) || `${name}`.startsWith(text));
        }
        const range = beginningWith(text);
        const [byId, byName] = await Promise.all([
          ID_PATTERN.test(text)
            ? clusters.find({ _id: range }, { signal }).sort({ _id: 1 }).limit(limit).toArray()
            : [],
          clusters.find({ name: range }, { signal }).sort({ name: 1 }).limit(limit).toArray(),
        ]);
        const known = new Set(byId.map(({ _id }) => _id));
        return [...byId, ...byName.filter(({ _id }) => !known.has(_id))];
      }),

    storages: (text, signal) =>
      persist(signal, async () =>
        ID_PATTERN.test(text)
          ? storages
              .find({ _id: beginningWith(text) }, { signal })
              .sort({ _id: 1 })
              .limit(limit)
              .toArray()
          : [],
      ),

    runs: (text, signal) =>
      persist(signal, async () => {
        const found = ID_PATTERN.test(text)
          ? await runs
              .find({ _id: beginningWith(text) }, { projection: TOLD, signal })
              .sort({ _id: 1 })
              .limit(MAX_SEARCHED)
              .toArray()
          : [];
        const restores = found.map(fromStored);
        return {
          backups: found.filter((_, index) => !restores[index]) as unknown as FoundBackup[],
          restores: restores.filter((restore) => restore !== undefined),
          isCut: found.length === MAX_SEARCHED,
        };
      }),
  };
}
