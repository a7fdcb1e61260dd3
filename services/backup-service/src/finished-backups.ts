/** What there is to know of backups that ended, for retention and for the age of the newest good one. */
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { persist } from '@tidemark/mongo/persist';
import { FAR } from '@tidemark/mongo/time-range';
import type { Db, Filter } from 'mongodb';
import {
  type Backup,
  type BackupState,
  type DeletedBy,
  type DeletionState,
  FINISHED,
  type FinishedState,
  isDamaged,
} from './backup.ts';
import { NOT_LISTED } from './backup-message.ts';
import type { ClusterDocument } from './registry-store.ts';

export const FINISHED_INDEXES: readonly IndexSpec[] = [
  { collection: 'backups', keys: { clusterId: 1, state: 1, 'deletion.state': 1, startTime: -1 } },
  { collection: 'backups', keys: { state: 1, updateTime: 1 } },
  { collection: 'backups', keys: { 'deletion.state': 1, 'deletion.by.kind': 1 } },
  { collection: 'backups', keys: { 'verification.counts.state': 1, clusterId: 1, startTime: -1 } },
];

export type GoodBackup = Pick<Backup, '_id' | 'clusterId' | 'startTime' | 'endTime'> & {
  readonly result: Pick<NonNullable<Backup['result']>, 'sizeBytes' | 'tso' | 'tidbClusterId'> | null;
};

/** How things stand with the backups of a cluster. */
export interface Standing {
  readonly clusterId: string;
  /** The newest good one, where there is one. */
  readonly newest?: GoodBackup;
  /** The last of those that ended, where any did. */
  readonly last?: Pick<Backup, '_id' | 'clusterId' | 'state' | 'endTime'>;
}

/** The good backups of a storage. */
export interface GoodOfStorage {
  readonly storageId: string;
  readonly backups: number;
  readonly sizeBytes: number;
}

/** A good backup, as far as recovery is concerned. */
export type GoodSnapshot = Pick<Backup, '_id' | 'startTime' | 'result' | 'verification'>;

/** A good backup that a verification found good. */
export type VerifiedBackup = Pick<Backup, '_id' | 'clusterId' | 'startTime' | 'result'>;

export interface Between {
  readonly after: Date;
  readonly before: Date;
}

/** Every method throws `unavailable` when the database does. */
export interface FinishedBackups {
  /** Whether a good backup of the same cluster was started after this one; one that was found damaged is none. */
  hasNewerGood(backup: Pick<Backup, 'clusterId' | 'startTime'>, signal: AbortSignal): Promise<boolean>;
  /** The newest good backup of each cluster that has one; one that was found damaged is none. */
  newestGood(clusterIds: readonly string[], signal: AbortSignal): Promise<GoodBackup[]>;
  /** Of each cluster, its newest good backup and the one that ended last. */
  standingsOf(clusterIds: readonly string[], signal: AbortSignal): Promise<Standing[]>;
  /** Of each storage that has any. All good backups are looked through. */
  goodByStorage(signal: AbortSignal): Promise<GoodOfStorage[]>;
  /**
   * The id that TiDB gave the cluster behind a registration, decimal: of its newest good backup, where that was made by a PD which is
   * registered still. Undefined where none tells.
   */
  tidbClusterIdOf(cluster: Pick<ClusterDocument, '_id' | 'pd'>, signal: AbortSignal): Promise<string | undefined>;
  /** Good backups of a cluster that nobody removes, accepted since an instant, the oldest first. */
  snapshotsSince(clusterId: string, since: Date, limit: number, signal: AbortSignal): Promise<GoodSnapshot[]>;
  /** Those of them that retention wants removed, and of which no worker has taken anything yet. */
  snapshotsAskedToGo(clusterId: string, since: Date, limit: number, signal: AbortSignal): Promise<GoodSnapshot[]>;
  /**
   * Good backups of a cluster that its log backup started and that nobody removes, accepted between two instants, neither of them
   * included; the oldest first.
   */
  startedByLog(clusterId: string, between: Between, limit: number, signal: AbortSignal): Promise<GoodSnapshot[]>;
  /** The newest good backup of a cluster that a verification found good. */
  newestVerified(clusterId: string, signal: AbortSignal): Promise<VerifiedBackup | undefined>;
  /** The same of each cluster that has one. */
  newestVerifiedOf(clusterIds: readonly string[], signal: AbortSignal): Promise<VerifiedBackup[]>;
  /** Of each cluster the two backups that were accepted last: where one is active, it is the first of them. */
  latestOf(clusterIds: readonly string[], signal: AbortSignal): Promise<Backup[]>;
  /** What lies in the bins of all storages, or of one, by storage; one whose bin is empty is left out. */
  bins(signal: AbortSignal, storageId?: string): Promise<ReadonlyMap<string, Bin>>;
  /** How many backups were found damaged, that nobody deletes. */
  countDamaged(signal: AbortSignal): Promise<number>;
  /** How many removals that retention asked for are under way; counted no further than `most`. */
  countRetentionDeletions(most: number, signal: AbortSignal): Promise<number>;
  /** How many deletions are not done yet, by how far they came and by who wished them. */
  countPendingDeletions(signal: AbortSignal): Promise<PendingDeletions[]>;
  /** How many backups ended after an instant, by state. What only changed since, such as by a deletion, is not counted. */
  countEnded(after: Date, signal: AbortSignal): Promise<EndedBackups[]>;
}

/** What lies in the bin of a storage. */
export interface Bin {
  readonly backups: number;
  readonly sizeBytes: number;
}

export const EMPTY_BIN: Bin = { backups: 0, sizeBytes: 0 };

export interface EndedBackups {
  readonly state: FinishedState;
  readonly count: number;
}

export interface PendingDeletions {
  readonly state: DeletionState;
  readonly by: DeletedBy['kind'];
  readonly count: number;
}

const PENDING = ['Requested', 'Deleting', 'DeleteFailed'] as const;
const DELETERS = ['person', 'retention'] as const;
const VERDICT = 'verification.counts.state';
const GOOD_FIELDS = {
  clusterId: 1,
  startTime: 1,
  endTime: 1,
  'result.sizeBytes': 1,
  'result.tso': 1,
  'result.tidbClusterId': 1,
  [VERDICT]: 1,
} as const;
/** How many clusters are looked up side by side. */
const ABREAST = 20;

/** Over the collection `backups`, which it only reads. */
export function createFinishedBackups(db: Db): FinishedBackups {
  const backups = db.collection<Backup>('backups');

  /** Of those that were started after an instant, where one is given. */
  async function newestOf(clusterId: string, signal: AbortSignal, after?: Date): Promise<GoodBackup[]> {
    const startTime = after && { startTime: { $gt: after, $lte: FAR } };
    const newestFirst = backups
      .find(
        { clusterId, state: 'Succeeded', 'deletion.state': 'None', ...startTime },
        { projection: GOOD_FIELDS, signal },
      )
      .sort({ startTime: -1 });
    const [newest] = await newestFirst.clone().limit(1).toArray();
    if (!newest || !isDamaged(newest)) return newest ? [newest] : [];
    for await (const one of newestFirst) if (!isDamaged(one)) return [one];
    return [];
  }

  async function standingOf(clusterId: string, signal: AbortSignal): Promise<Standing[]> {
    // One that is active is the first of them.
    const latest = await backups
      .find({ clusterId }, { projection: { ...GOOD_FIELDS, state: 1, 'deletion.state': 1 }, signal })
      .sort({ startTime: -1, _id: -1 })
      .limit(2)
      .toArray();
    const last = latest.find(({ state }) => isFinished(state));
    // Mostly the last is the newest good one, too, and nothing more is asked.
    const newest = latest.find(isGood) ?? (latest.length < 2 ? undefined : (await newestOf(clusterId, signal))[0]);
    return [{ clusterId, ...(newest && { newest }), ...(last && { last }) }];
  }

  async function newestVerifiedOf(clusterId: string, signal: AbortSignal): Promise<VerifiedBackup[]> {
    return backups
      .find<VerifiedBackup>(
        { [VERDICT]: 'Good', clusterId, state: 'Succeeded', 'deletion.state': 'None' },
        { projection: { clusterId: 1, startTime: 1, 'result.tso': 1 }, signal },
      )
      .sort({ startTime: -1 })
      .limit(1)
      .toArray();
  }

  /** Of good backups, the oldest first. */
  async function snapshotsOf(of: Filter<Backup>, limit: number, signal: AbortSignal): Promise<GoodSnapshot[]> {
    return backups
      .find<GoodSnapshot>(
        { ...of, state: 'Succeeded', [VERDICT]: { $ne: 'Damaged' } },
        { projection: { startTime: 1, 'result.tso': 1, 'result.tidbClusterId': 1, [VERDICT]: 1 }, signal },
      )
      .sort({ startTime: 1 })
      .limit(limit)
      .toArray();
  }

  return {
    hasNewerGood: ({ clusterId, startTime }, signal) =>
      persist(signal, async () => (await newestOf(clusterId, signal, startTime)).length > 0),

    newestGood: (clusterIds, signal) =>
      persist(signal, () => ofEach(clusterIds, (clusterId) => newestOf(clusterId, signal))),

    standingsOf: (clusterIds, signal) =>
      persist(signal, () => ofEach(clusterIds, (clusterId) => standingOf(clusterId, signal))),

    goodByStorage: (signal) =>
      persist(signal, async () => {
        const found = backups.aggregate<
          Bin & { readonly _id: { readonly storage: string; readonly verdict?: string } }
        >(
          [
            { $match: { state: 'Succeeded', 'deletion.state': 'None' } },
            {
              $group: {
                _id: { storage: '$storage.id', verdict: `$${VERDICT}` },
                backups: { $sum: 1 },
                sizeBytes: { $sum: '$result.sizeBytes' },
              },
            },
          ],
          { signal },
        );
        const good = (await found.toArray()).filter(({ _id }) => _id.verdict !== 'Damaged');
        return [...Map.groupBy(good, ({ _id }) => _id.storage)].map(([storageId, some]) => ({
          storageId,
          backups: some.reduce((sum, one) => sum + one.backups, 0),
          sizeBytes: some.reduce((sum, one) => sum + one.sizeBytes, 0),
        }));
      }),

    tidbClusterIdOf: ({ _id, pd }, signal) =>
      persist(signal, async () => {
        const newest = await backups.findOne(
          { clusterId: _id, state: 'Succeeded', 'deletion.state': 'None' },
          { projection: { 'target.pd': 1, 'result.tidbClusterId': 1 }, sort: { startTime: -1 }, signal },
        );
        // A damaged record may lack either.
        const { target, result }: Partial<Pick<Backup, 'target' | 'result'>> = newest ?? {};
        return target?.pd?.some((one) => pd.includes(one)) ? result?.tidbClusterId : undefined;
      }),

    snapshotsSince: (clusterId, since, limit, signal) =>
      persist(signal, () =>
        snapshotsOf({ clusterId, 'deletion.state': 'None', startTime: { $gte: since, $lte: FAR } }, limit, signal),
      ),

    snapshotsAskedToGo: (clusterId, since, limit, signal) =>
      persist(signal, () => {
        const going = { 'deletion.state': { $in: ['Requested', 'Trashed'] }, 'deletion.by.kind': 'retention' } as const;
        return snapshotsOf({ clusterId, ...going, startTime: { $gte: since, $lte: FAR } }, limit, signal);
      }),

    startedByLog: (clusterId, { after, before }, limit, signal) =>
      persist(signal, () => {
        const startTime = { $gt: after, $lt: before };
        return snapshotsOf({ clusterId, 'deletion.state': 'None', origin: 'log', startTime }, limit, signal);
      }),

    newestVerified: (clusterId, signal) => persist(signal, async () => (await newestVerifiedOf(clusterId, signal))[0]),

    newestVerifiedOf: (clusterIds, signal) =>
      persist(signal, () => ofEach(clusterIds, (clusterId) => newestVerifiedOf(clusterId, signal))),

    latestOf: (clusterIds, signal) =>
      persist(signal, () =>
        ofEach(clusterIds, (clusterId) =>
          backups
            .find({ clusterId }, { projection: NOT_LISTED, signal })
            .sort({ startTime: -1, _id: -1 })
            .limit(2)
            .toArray(),
        ),
      ),

    countRetentionDeletions: (most, signal) =>
      persist(signal, async () => {
        const counts = await Promise.all(
          (['Requested', 'Deleting'] as const).map((state) =>
            backups
              .find(
                { 'deletion.state': state, 'deletion.by.kind': 'retention' },
                { projection: { _id: 1 }, limit: most, signal },
              )
              .toArray(),
          ),
        );
        return Math.min(most, counts.flat().length);
      }),

    bins: (signal, storageId) =>
      persist(signal, async () => {
        const within = storageId === undefined ? {} : { 'storage.id': storageId };
        const found = backups.aggregate<Bin & { readonly _id: string }>(
          [
            { $match: { 'deletion.state': 'Trashed', ...within } },
            { $group: { _id: '$storage.id', backups: { $sum: 1 }, sizeBytes: { $sum: '$result.sizeBytes' } } },
          ],
          { signal },
        );
        return new Map((await found.toArray()).map(({ _id, ...bin }) => [_id, bin]));
      }),

    countDamaged: (signal) =>
      persist(signal, () => backups.countDocuments({ [VERDICT]: 'Damaged', 'deletion.state': 'None' }, { signal })),

    countEnded: (after, signal) =>
      persist(signal, () =>
        Promise.all(
          FINISHED.map(async (state) => ({
            state,
            // Whatever ended since was also written since, and only for that there is an index.
            count: await backups.countDocuments(
              { state, updateTime: { $gt: after, $lte: FAR }, endTime: { $gt: after, $lte: FAR } },
              { signal },
            ),
          })),
        ),
      ),

    countPendingDeletions: (signal) =>
      persist(signal, () =>
        Promise.all(
          PENDING.flatMap((state) =>
            DELETERS.map(async (by) => ({
              state,
              by,
              count: await backups.countDocuments({ 'deletion.state': state, 'deletion.by.kind': by }, { signal }),
            })),
          ),
        ),
      ),
  };
}

const isFinished = (state: BackupState) => FINISHED.some((one) => one === state);

/** A damaged record may lack a field. */
const isGood = (backup: Pick<Backup, 'state' | 'verification'> & Partial<Pick<Backup, 'deletion'>>) =>
  backup.state === 'Succeeded' && backup.deletion?.state === 'None' && !isDamaged(backup);

/** What is found of clusters, some of them side by side. */
async function ofEach<T>(clusterIds: readonly string[], find: (clusterId: string) => Promise<T[]>): Promise<T[]> {
  const found: T[] = [];
  for (let start = 0; start < clusterIds.length; start += ABREAST)
    found.push(...(await Promise.all(clusterIds.slice(start, start + ABREAST).map(find))).flat());
  return found;
}
