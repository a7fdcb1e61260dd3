/**
 * Restores, in the collection of the backups.
 *
 * S1. Every change is one of `task-store.ts`.
 * S2. A slot that somebody else took meanwhile is not offered again by the decision that is made anew.
 * S3. What the hold of the source needs is asked after the restore was inserted: then it has the key of its target, and nobody else can
 *     leave a mark there any more (R13).
 */
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { createPages, type Page, type PageWish } from '@tidemark/mongo/pages';
import { persist } from '@tidemark/mongo/persist';
import { FIRST_INSTANT, LAST_INSTANT, toParts } from '@tidemark/mongo/selection';
import { createTaskStore } from '@tidemark/mongo/task-store';
import { EPOCH } from '@tidemark/mongo/time-range';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import type { Db, Document } from 'mongodb';
import { clusterKey } from '../decide/vocabulary.ts';
import { instantOf } from '../log/log-backup.ts';
import type { PresenceStore } from '../presence-store.ts';
import { type RealCluster, whyOne } from '../real-cluster.ts';
import type { Slots } from '../slots.ts';
import type { RestoreCommand, RestoreDecision, RestoreLimits } from './decide/command.ts';
import { decideRestore } from './decide/decide.ts';
import { ownKey } from './decide/vocabulary.ts';
import type { TimedLog, TimedRestore } from './estimate.ts';
import { countOpen, type OpenRestore } from './open-restores.ts';
import type { CollectionSeen } from './plan.ts';
import type { Restore, RestoreAttempt, RestoreState, RestoreTarget } from './restore.ts';
import { fromStored, RESTORE_SHAPE, toStored } from './stored-restore.ts';
import { fits, neededBy, noneFits, versionsIn } from './worker-check.ts';

export const RESTORE_INDEXES: readonly IndexSpec[] = [
  { collection: 'backups', keys: { 'restore.task.ringAt': 1 } },
  { collection: 'backups', keys: { 'restore.source.backupId': 1 } },
  { collection: 'backups', keys: { 'restore.needsCleaning': 1 } },
  { collection: 'backups', keys: { restoreTime: -1, _id: -1 } },
  { collection: 'backups', keys: { 'restore.target.clusterId': 1, restoreTime: -1, _id: -1 } },
];

/** Which restores to list; what is absent does not narrow. */
export interface RestoreFilter {
  readonly clusterIds: readonly string[];
  /** The clusters are what the caller sees, and were not asked for. */
  readonly withinSight?: boolean;
  readonly sourceClusterId?: string;
  readonly backupId?: string;
  readonly states: readonly RestoreState[];
}

/** What became of a command: the decision, and the document before and after it. */
export interface AppliedRestore {
  readonly decision: RestoreDecision;
  readonly before: Restore;
  readonly restore: Restore;
}

/** What a claim must know beyond its document is found out by the store. */
type StoreCommand =
  | Exclude<RestoreCommand, { kind: 'claim' }>
  | Omit<Extract<RestoreCommand, { kind: 'claim' }>, 'slotKey' | 'misfit'>;

/** A restore that left its checkpoint in a cluster, with both clusters that one must see to know of it. */
export interface UncleanRestore {
  readonly id: string;
  readonly clusterId: string;
  readonly sourceClusterId: string;
}

/** Every method throws `unavailable` when the database does. */
export interface RestoreStore {
  get(id: string, signal: AbortSignal): Promise<Restore | undefined>;
  /** Inserts a new restore; says which key was taken if it was not. */
  insert(restore: Restore, signal: AbortSignal): Promise<'inserted' | '_id' | 'activeKey'>;
  /**
   * Applies a command; undefined when there is no such restore.
   *
   * @param look at the record before it is decided; what it throws is thrown
   */
  apply(
    id: string,
    command: StoreCommand,
    signal: AbortSignal,
    look?: (restore: Restore) => void,
  ): Promise<AppliedRestore | undefined>;
  /** Ids of restores whose task is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Another restore that left a checkpoint in a cluster, by whichever registration, and of which nobody said that it is gone. */
  findUnclean(cluster: RealCluster, exceptId: string, signal: AbortSignal): Promise<UncleanRestore | undefined>;
  /** Restores into a target, of its version and at a rate limit, that succeeded in one run of `br`: the last ones, the newest first. */
  findTimed(
    target: Pick<RestoreTarget, 'clusterId' | 'version'>,
    rateLimit: number,
    signal: AbortSignal,
  ): Promise<TimedRestore[]>;
  /** How long the logs took of the last restores to a point in time that succeeded in one run of `br`, the newest first. */
  findTimedLogs(signal: AbortSignal): Promise<TimedLog[]>;
  /** What the TiKVs of a target said last of their garbage collection, around the last restores into it; undefined: nothing. */
  findCollection(clusterId: string, signal: AbortSignal): Promise<CollectionSeen | undefined>;
  /** What restores of a backup there are, and how far they are. */
  ofSource(backupId: string, signal: AbortSignal): Promise<Pick<Restore, '_id' | 'state' | 'targetState'>[]>;
  /** Those that are active or left their target Partial; a cluster has one at most. One that cannot be read is left out. */
  findOpen(signal: AbortSignal): Promise<OpenRestore[]>;
  /** A page of restores, newest first. @throws AppError as `Pages.read` */
  list(filter: RestoreFilter, page: PageWish, signal: AbortSignal): Promise<Page<Restore>>;
}

export interface RestoreStoreDependencies {
  readonly now: () => Date;
  readonly limits: RestoreLimits;
  readonly slots: Pick<Slots, 'anySlot'>;
  readonly presences: Pick<PresenceStore, 'present'>;
  /** Of those that cannot be counted. */
  readonly quarantine: Quarantine;
  /** Called with each change that was written. */
  readonly onChanged: (before: Restore, after: Restore) => void;
}

/** The store over a database. */
export function createRestoreStore(
  db: Db,
  { now, limits, slots, presences, quarantine, onChanged }: RestoreStoreDependencies,
): RestoreStore {
  const collection = db.collection<Document & { readonly _id: string }>('backups');
  const tasks = createTaskStore<Restore>(collection as never, { now, onChanged }, RESTORE_SHAPE);
  const pages = createPages(collection, { time: 'restoreTime', leftOut: { 'restore.argv': 0 } });

  return {
    get: tasks.get,

    insert: (restore, signal) =>
      persist(signal, async () => {
        try {
          await collection.insertOne(toStored(restore) as Document & { readonly _id: string });
          return 'inserted' as const;
        } catch (error) {
          if (isDuplicateKey(error, 'activeKey')) return 'activeKey';
          // Its path is made of its id: which of the two a database names first is its own affair.
          if (isDuplicateKey(error, '_id') || isDuplicateKey(error, 'basePath')) return '_id';
          throw error;
        }
      }),

    async apply(id, command, signal, look) {
      const refused = new Set<string>();
      const prepare = async (before: Restore) => {
        look?.(before);
        const ready = command.kind === 'claim' ? await withFindings(command, before) : command;
        return (at: Date) => decideRestore(before, ready, at, limits);
      };
      const withFindings = async (claim: Extract<StoreCommand, { kind: 'claim' }>, before: Restore) => {
        if (before.state !== 'Queued') return claim;
        const [slotKey, misfit] = await Promise.all([
          slots.anySlot(before.source.storage, ownKey(before), refused, signal),
          misfitOf(before, claim.brVersions),
        ]);
        return { ...claim, ...(slotKey !== undefined && { slotKey }), ...(misfit && { misfit }) };
      };
      const misfitOf = async (restore: Restore, brVersions: readonly string[]) => {
        const needed = neededBy(restore);
        if (restore.brVersion !== null || fits(brVersions, needed)) return undefined;
        const there = [...versionsIn(await presences.present(needed.pool, signal)), ...brVersions];
        return fits(there, needed) ? {} : { nowhere: noneFits(needed, there) };
      };
      const isConflict = (error: unknown, { slotKey }: Restore) => {
        const taken = isDuplicateKey(error, 'slotKey');
        if (taken) refused.add(slotKey);
        return taken;
      };
      const written = await tasks.apply(id, prepare, signal, isConflict);
      return written && { decision: written.decision, before: written.before, restore: written.after };
    },

    findDue: tasks.findDue,

    findUnclean: (cluster, exceptId, signal) =>
      persist(signal, async () => {
        const found = await collection
          .find(
            { 'restore.needsCleaning': true },
            { projection: { 'restore.target': 1, 'restore.source.clusterId': 1 }, signal },
          )
          .toArray();
        const first = found.find(({ _id, restore }) => _id !== exceptId && isOne(cluster, restore?.target));
        if (!first) return undefined;
        const { target, source } = first.restore;
        return { id: first._id, clusterId: target.clusterId, sourceClusterId: source?.clusterId ?? '' };
      }),

    findTimed: ({ clusterId, version }, rateLimit, signal) =>
      persist(signal, async () => {
        const found = await collection
          .find(
            { 'restore.target.clusterId': clusterId, 'restore.state': 'Succeeded', 'restore.target.version': version },
            { projection: TIMED, sort: { restoreTime: -1, _id: -1 }, limit: TIMED_ONES, signal },
          )
          .toArray();
        return found.flatMap(({ restore }) =>
          restore.options?.rateLimit === rateLimit ? (timedOf(restore) ?? []) : [],
        );
      }),

    findTimedLogs: (signal) =>
      persist(signal, async () => {
        const found = await collection
          .find(
            { restoreTime: { $gt: EPOCH } },
            { projection: TIMED_LOG, sort: { restoreTime: -1, _id: -1 }, limit: TIMED_LOGS, signal },
          )
          .toArray();
        return found.flatMap(({ _id, restore }) => quarantine.read(_id, () => timedLogOf(restore)) ?? []);
      }),

    findCollection: (clusterId, signal) =>
      persist(signal, async () => {
        const found = await collection
          .find(
            { 'restore.target.clusterId': clusterId },
            { projection: COLLECTION, sort: { restoreTime: -1, _id: -1 }, limit: COLLECTION_ONES, signal },
          )
          .toArray();
        return found
          .map(({ _id, restore }) => quarantine.read(_id, () => collectionSeenBy(restore)))
          .find((seen) => seen !== undefined);
      }),

    ofSource: (backupId, signal) =>
      persist(signal, () =>
        collection
          .find(
            { 'restore.source.backupId': backupId },
            { projection: { 'restore.state': 1, 'restore.targetState': 1 }, signal },
          )
          .map(({ _id, restore }) => ({ _id, state: restore.state, targetState: restore.targetState }))
          .toArray(),
      ),

    findOpen: (signal) =>
      persist(signal, async () => {
        const found = await collection
          .find(
            { activeKey: { $gte: clusterKey(''), $lt: `${clusterKey('')}\uffff` }, kind: 'restore' },
            { projection: { kind: 1, 'restore.state': 1, 'restore.endTime': 1 }, signal },
          )
          .toArray();
        return found
          .map(({ _id, restore }) => quarantine.read(_id, () => toOpen(restore)))
          .filter((one) => one !== undefined);
      }),

    list: (filter, wish, signal) =>
      persist(signal, async () => {
        const page = await pages.read(toSelection(filter), wish, now(), signal);
        return { ...page, rows: page.rows.map(fromStored).filter((restore) => restore !== undefined) };
      }),
  };
}

/** A damaged record may lack any of it. */
function isOne(
  cluster: RealCluster,
  { clusterId = '', pd, otherPd, tidbClusterId }: Partial<RealCluster> = {},
): boolean {
  if (clusterId === cluster.clusterId) return true;
  if (!Array.isArray(pd)) return false;
  const others = Array.isArray(otherPd) && { otherPd: otherPd.map(String) };
  const id = tidbClusterId && { tidbClusterId };
  return whyOne(cluster, { clusterId, pd: pd.map(String), ...others, ...id }) !== undefined;
}

/** How many are looked at: most of them may have taken no time to speak of. */
const TIMED_ONES = 20;
const TIMED = {
  'restore.attempts.starting': 1,
  'restore.result.sizeBytes': 1,
  'restore.result.seconds': 1,
  'restore.result.logSeconds': 1,
  'restore.source.point.tso': 1,
  'restore.options.rateLimit': 1,
};
/** Of all restores so many are looked at for those to a point. */
const TIMED_LOGS = 200;
const TIMED_LOG = {
  'restore.attempts.starting.at': 1,
  'restore.result.logSeconds': 1,
  'restore.source.tso': 1,
  'restore.source.point.tso': 1,
};

/** What `br` says of its time is of its last run alone. Undefined of one that had more, and of one that cannot be read. */
function timedOf({ attempts, result, source }: Partial<Restore>): TimedRestore | undefined {
  const { sizeBytes, seconds, logSeconds = source?.point ? Number.NaN : 0 } = result ?? {};
  const ofBackup = Number(seconds) - Number(logSeconds);
  return runsOf(attempts) === 1 && Number.isFinite(sizeBytes) && Number.isFinite(ofBackup)
    ? { sizeBytes: Number(sizeBytes), seconds: ofBackup }
    : undefined;
}

/** The same of its log. */
function timedLogOf({ attempts, result, source }: Partial<Restore>): TimedLog | undefined {
  const [from, to] = [source?.tso, source?.point?.tso].map((tso) => (tso ? instantOf(tso).getTime() : Number.NaN));
  const spanSeconds = (Number(to) - Number(from)) / 1_000;
  const seconds = result?.logSeconds ?? Number.NaN;
  return runsOf(attempts) === 1 && spanSeconds > 0 && seconds > 0 ? { spanSeconds, seconds } : undefined;
}

function runsOf(attempts: unknown): number {
  return Array.isArray(attempts) ? attempts.filter((attempt) => attempt?.starting).length : 0;
}

/** How many are looked at: those of backups alone do not ask. */
const COLLECTION_ONES = 20;
const COLLECTION = { 'restore.attempts.starting': 1, 'restore.attempts.end.look': 1 };

/** Undefined of a restore that did not ask, and of one that cannot be read. */
function collectionSeenBy({ attempts }: Partial<Restore>): CollectionSeen | undefined {
  if (!Array.isArray(attempts)) return undefined;
  const seen = attempts
    .flatMap((attempt) => [{ at: attempt?.starting?.at, ...attempt?.starting?.collection }, lookOf(attempt)])
    .findLast(({ at, off }) => at instanceof Date && Array.isArray(off));
  return seen && { at: seen.at as Date, off: (seen.off as unknown[]).map(String) };
}

function lookOf(attempt: Partial<RestoreAttempt> | undefined) {
  const { at, collection } = attempt?.end?.look ?? {};
  return { at, ...collection };
}

function toOpen({ state, endTime }: OpenRestore): OpenRestore {
  countOpen([{ state, endTime }], EPOCH);
  return { state, endTime };
}

function toSelection({ clusterIds, sourceClusterId, backupId, states }: RestoreFilter) {
  const { rest, ...parts } = toParts('restore.target.clusterId', clusterIds);
  return {
    from: FIRST_INSTANT,
    until: LAST_INSTANT,
    ...parts,
    rest: {
      ...rest,
      ...(sourceClusterId !== undefined && { 'restore.source.clusterId': sourceClusterId }),
      ...(backupId !== undefined && { 'restore.source.backupId': backupId }),
      ...(states.length > 0 && { 'restore.state': { $in: [...states] } }),
    },
    isCountedWhole: false,
  };
}
