/**
 * What is found by the beginning of its id, or of its name: ranges of indexes, however many records there are. Not of `_id`, in which some
 * servers look through all (stack-findings 11.1): a backup or a restore is found by its `slotKey`, a cluster by its `searchKeys`.
 *
 * SE1. What is the text itself comes first in such a range, so a limit leaves it in.
 * SE2. A cluster that an earlier version registered has no keys. Any copy adds them, unless its name was changed meanwhile. One whose name an
 *      earlier version changes is found by its old name no more, and by the new one once it is saved again.
 */
import { ID_PATTERN } from '@tidemark/limits/id';
import { MAX_HITS_OF_A_KIND, MAX_SEARCHED } from '@tidemark/limits/limits';
import { inPieces } from '@tidemark/mongo/in-pieces';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { persist } from '@tidemark/mongo/persist';
import { beginningWith } from '@tidemark/mongo/text-range';
import type { Db, Document } from 'mongodb';
import type { Backup } from './backup.ts';
import { ownKey } from './decide/vocabulary.ts';
import type { ClusterDocument, StorageDocument } from './registry-store.ts';
import { ownKey as ownKeyOfRestore } from './restore/decide/vocabulary.ts';
import type { Restore } from './restore/restore.ts';
import { fromStored } from './restore/stored-restore.ts';
import { searchKeysOf, toSearchKey } from './search-keys.ts';

export const SEARCH_INDEXES: readonly IndexSpec[] = [
  { collection: 'clusters', keys: { 'searchKeys.id': 1 } },
  { collection: 'clusters', keys: { 'searchKeys.name': 1 } },
];

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

export interface FoundRuns {
  readonly backups: FoundBackup[];
  readonly restores: FoundRestore[];
  /** There may be more. */
  readonly isCut: boolean;
}

/** Every method throws `unavailable` when the database does. */
export interface SearchStore {
  /** Clusters whose id or name begins so, of those of `ids`, or of all where there are none; one more than an answer has. */
  clusters(text: string, ids: readonly string[], signal: AbortSignal): Promise<ClusterDocument[]>;
  /** The same of storages, by id alone. */
  storages(text: string, signal: AbortSignal): Promise<StorageDocument[]>;
  /** Backups and restores whose id begins so; `MAX_SEARCHED` of each at most. */
  runs(text: string, signal: AbortSignal): Promise<FoundRuns>;
  /** Adds keys to clusters that have none; says whether there may be more. */
  addKeys(signal: AbortSignal): Promise<boolean>;
}

/** That runs hold in a storage with a limit, in the place of their own. */
const SLOTS = beginningWith('storage:');
const KEYED_AT_ONCE = 200;

export function createSearchStore(db: Db): SearchStore {
  const clusters = db.collection<ClusterDocument>('clusters');
  const storages = db.collection<StorageDocument>('storages');
  const runs = db.collection<{ _id: string } & Document>('backups');
  const limit = MAX_HITS_OF_A_KIND + 1;
  return {
    clusters: (text, ids, signal) =>
      persist(signal, async () => {
        const key = toSearchKey(text);
        const isMeant = (cluster: ClusterDocument) =>
          Object.values(searchKeysOf(cluster)).some((one: string) => one.startsWith(key));
        if (ids.length > 0) {
          const own = await inPieces([...ids].sort(), (some) =>
            clusters
              .find({ _id: { $in: some } }, { signal })
              .sort({ _id: 1 })
              .toArray(),
          );
          return own.filter(isMeant);
        }
        const found = await Promise.all(
          (['searchKeys.id', 'searchKeys.name'] as const).map((field) =>
            clusters
              .find({ [field]: beginningWith(key) }, { signal })
              .sort({ [field]: 1 })
              .limit(limit)
              .toArray(),
          ),
        );
        const byId = new Map(found.flat().map((cluster) => [cluster._id, cluster]));
        return [...byId.values()].filter(isMeant);
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
        if (!ID_PATTERN.test(text)) return { backups: [], restores: [], isCut: false };
        const ofOwn = (key: string) =>
          runs
            .find({ slotKey: beginningWith(key) }, { projection: TOLD, signal })
            .sort({ slotKey: 1 })
            .limit(MAX_SEARCHED)
            .toArray();
        const [backups, restores, inSlots] = await Promise.all([
          ofOwn(ownKey({ _id: text })),
          ofOwn(ownKeyOfRestore({ _id: text })),
          runs.find({ slotKey: SLOTS }, { projection: TOLD, signal }).toArray(),
        ]);
        const all = [...backups, ...restores, ...inSlots.filter(({ _id }) => _id.startsWith(text))];
        const asRestores = all.map(fromStored);
        return {
          backups: all.filter((_, index) => !asRestores[index]) as unknown as FoundBackup[],
          restores: asRestores.filter((restore) => restore !== undefined),
          isCut: [backups, restores].some(({ length }) => length === MAX_SEARCHED),
        };
      }),

    addKeys: (signal) =>
      persist(signal, async () => {
        const without = await clusters
          .find({ 'searchKeys.id': null } as object, { projection: { name: 1 }, signal })
          .limit(KEYED_AT_ONCE)
          .toArray();
        for (const { _id, name } of without)
          await clusters.updateOne({ _id, name }, { $set: { searchKeys: searchKeysOf({ _id, name }) } });
        return without.length === KEYED_AT_ONCE;
      }),
  };
}
