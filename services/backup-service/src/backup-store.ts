/**
 * The collection `backups`: reads, and the one form in which it is written.
 *
 * B1. Every change is read → decide → `updateOne({_id, revision})`; what no longer matches, or whose outcome is unknown,
 *     is read and decided again. A command recognises its own effect, so that is harmless (design section 2).
 * B2. Only what the decision changed is written, with `revision + 1`.
 * B3. The keys that exclude each other (`activeKey`, `slotKey`, `basePath`) are plain unique indexes (T6, T10).
 * B4. A page of the whole fleet costs by how deep it lies, not by how many backups there are: it is looked for among the
 *     last hour's, then further and further back, since some servers sort all that matches before they take the first ten.
 * B5. A total is exact or left out. It is counted only where the page does not tell it and the caller cannot do without.
 */
import { AppError } from '@tidemark/errors/app-error';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, isOutOfTime } from '@tidemark/mongo/mongo-error';
import type { Db, Filter } from 'mongodb';
import type { Backup, BackupState } from './backup.ts';
import type { Command, Decision, Limits } from './decide/command.ts';
import { decide } from './decide/decide.ts';
import { clusterKey, plus } from './decide/vocabulary.ts';
import type { FinishedBackups } from './finished-backups.ts';
import { lookBack } from './look-back.ts';
import { persist } from './persist.ts';
import type { Turns } from './turns.ts';

export const BACKUP_INDEXES: readonly IndexSpec[] = [
  { collection: 'backups', keys: { activeKey: 1 }, unique: true },
  { collection: 'backups', keys: { slotKey: 1 }, unique: true },
  { collection: 'backups', keys: { basePath: 1 }, unique: true },
  { collection: 'backups', keys: { 'task.ringAt': 1 } },
  { collection: 'backups', keys: { clusterId: 1, startTime: -1, _id: -1 } },
  { collection: 'backups', keys: { startTime: -1, _id: -1 } },
];

/** Which backups to list; what is absent does not narrow. */
export interface BackupFilter {
  readonly clusterIds: readonly string[];
  readonly id?: string;
  readonly startedAtOrAfter?: Date;
  readonly endedAtOrBefore?: Date;
  readonly states: readonly BackupState[];
  readonly mode?: Backup['mode'];
  readonly origin?: Backup['origin'];
  readonly rule?: string;
  readonly includeDeleted: boolean;
}

export interface PageWish {
  readonly skip: number;
  readonly limit: number;
  /** Whether the caller can do without the total. */
  readonly withoutTotal: boolean;
  /** How long page and total may take together. */
  readonly withinMs: number;
}

export interface BackupPage {
  readonly backups: Backup[];
  readonly total: number | undefined;
}

/** What became of a command: the decision, and the document before and after it. */
export interface Applied {
  readonly decision: Decision;
  readonly before: Backup;
  readonly backup: Backup;
}

export interface BackupStoreDependencies {
  readonly now: () => Date;
  readonly limits: Limits;
  readonly turns: Pick<Turns, 'slotFor'>;
  readonly finished: Pick<FinishedBackups, 'hasNewerGood'>;
  /** Told of each change that was written. */
  readonly onChanged: (before: Backup, after: Backup) => void;
}

/** What a claim or a delete must know beyond its document is found out by the store. */
type StoreCommand =
  | Exclude<Command, { kind: 'claim' | 'delete' }>
  | Omit<Extract<Command, { kind: 'claim' }>, 'slotKey' | 'newerGood'>
  | Omit<Extract<Command, { kind: 'delete' }>, 'newerGood'>;

export interface BackupStore {
  get(id: string, signal: AbortSignal): Promise<Backup | undefined>;
  /** Inserts a new backup; says which key was taken if it was not. */
  insert(backup: Backup, signal: AbortSignal): Promise<'inserted' | '_id' | 'activeKey' | 'basePath'>;
  /** Applies a command; undefined when there is no such backup. @throws AppError `unavailable` */
  apply(id: string, command: StoreCommand, signal: AbortSignal): Promise<Applied | undefined>;
  /** The active backup of a cluster. */
  findActive(clusterId: string, signal: AbortSignal): Promise<Backup | undefined>;
  /** The backup that was given a path, whether or not it is deleted. */
  findByPath(basePath: string, signal: AbortSignal): Promise<Backup | undefined>;
  /** Ids of backups whose task is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /**
   * A page of backups, newest first, and how many there are in all; that is undefined where it would have to be counted
   * for a caller `withoutTotal`.
   *
   * @throws AppError `deadline_exceeded` when they cannot be counted in time
   */
  list(filter: BackupFilter, page: PageWish, signal: AbortSignal): Promise<BackupPage>;
  /** Whether a backup that is not deleted lies in the storage. */
  anyInStorage(storageId: string, signal: AbortSignal): Promise<boolean>;
}

const EPOCH = new Date(0);
const FAR = new Date('9999-01-01T00:00:00Z');

/** The store over a database. */
export function createBackupStore(
  db: Db,
  { now, limits, turns, finished, onChanged }: BackupStoreDependencies,
): BackupStore {
  const backups = db.collection<Backup>('backups');

  async function write(before: Backup, next: Backup, at: Date): Promise<Backup | undefined> {
    const after: Backup = { ...next, revision: before.revision + 1, updateTime: at };
    const changed = Object.entries(after).filter(([field, value]) => before[field as keyof Backup] !== value);
    const { matchedCount } = await backups.updateOne(
      { _id: before._id, revision: before.revision },
      { $set: Object.fromEntries(changed) },
    );
    return matchedCount === 1 ? after : undefined;
  }

  async function withFindings(
    command: StoreCommand,
    backup: Backup,
    refused: Set<string>,
    signal: AbortSignal,
  ): Promise<Command> {
    if (command.kind === 'delete') {
      const asked = command.by.kind === 'retention' && backup.deletion.state === 'None';
      return { ...command, newerGood: asked && (await finished.hasNewerGood(backup, signal)) };
    }
    if (command.kind !== 'claim') return command;
    const slotKey = backup.state === 'Queued' ? await turns.slotFor(backup, refused, now(), signal) : undefined;
    const counted = backup.deletion.state === 'Requested' && backup.deletion.by?.kind === 'retention';
    return {
      ...command,
      ...(slotKey !== undefined && { slotKey }),
      newerGood: counted && (await finished.hasNewerGood(backup, signal)),
    };
  }

  async function newestFirst(
    filter: BackupFilter,
    { skip, limit }: Pick<PageWish, 'skip' | 'limit'>,
    signal: AbortSignal,
  ): Promise<Backup[]> {
    const query = toQuery(filter);
    const read = (more: Filter<Backup>) =>
      backups
        .find({ ...query, ...more }, { signal })
        .sort({ startTime: -1, _id: -1 })
        .skip(skip)
        .limit(limit)
        .toArray();
    if (isWholeFleet(filter))
      for (const after of lookBack(now(), filter.startedAtOrAfter)) {
        const found = await read({ startTime: { $gt: after, $lte: FAR } });
        if (found.length === limit) return found;
      }
    return read({});
  }

  async function count(filter: BackupFilter, withinMs: number, signal: AbortSignal): Promise<number> {
    const maxTimeMS = Math.max(1, Math.round(withinMs));
    const tooLate = AbortSignal.timeout(maxTimeMS);
    try {
      // The server stops too, where it knows how.
      return await backups.countDocuments(toQuery(filter), { maxTimeMS, signal: AbortSignal.any([signal, tooLate]) });
    } catch (error) {
      if (signal.aborted || !(tooLate.aborted || isOutOfTime(error))) throw error;
      throw new AppError(
        'deadline_exceeded',
        'The backups could not be counted in time: there are too many, or the database is slow. Ask without the total (withoutTotal=true), or for fewer.',
        { cause: error },
      );
    }
  }

  return {
    get: (id, signal) => persist(signal, async () => (await backups.findOne({ _id: id }, { signal })) ?? undefined),

    insert: (backup, signal) =>
      persist(signal, async () => {
        try {
          await backups.insertOne(backup);
          return 'inserted' as const;
        } catch (error) {
          for (const key of ['_id', 'activeKey', 'basePath'] as const) if (isDuplicateKey(error, key)) return key;
          throw error;
        }
      }),

    apply: (id, command, signal) => {
      const refused = new Set<string>();
      return persist<Applied | undefined>(signal, async () => {
        const before = await backups.findOne({ _id: id }, { signal });
        if (!before) return undefined;
        const ready = await withFindings(command, before, refused, signal);
        const at = now();
        const decision = decide(before, ready, at, limits);
        if (!decision.next) return { decision, before, backup: before };
        try {
          const backup = await write(before, decision.next, at);
          if (!backup) return 'again';
          onChanged(before, backup);
          return { decision, before, backup };
        } catch (error) {
          if (!isDuplicateKey(error, 'slotKey')) throw error;
          refused.add(decision.next.slotKey);
          return 'again';
        }
      });
    },

    findActive: (clusterId, signal) =>
      persist(
        signal,
        async () => (await backups.findOne({ activeKey: clusterKey(clusterId) }, { signal })) ?? undefined,
      ),

    findByPath: (basePath, signal) =>
      persist(signal, async () => (await backups.findOne({ basePath }, { signal })) ?? undefined),

    findDue: (at, limit, signal) =>
      persist(signal, () =>
        backups
          .find({ 'task.ringAt': { $gt: EPOCH, $lte: at } }, { projection: { _id: 1 }, signal })
          .sort({ 'task.ringAt': 1 })
          .limit(limit)
          .map(({ _id }) => _id)
          .toArray(),
      ),

    list: (filter, { skip, limit, withoutTotal, withinMs }, signal) =>
      persist(signal, async () => {
        const endsAt = performance.now() + withinMs;
        const found = await newestFirst(filter, { skip, limit }, signal);
        const full = found.length === limit;
        if (full && withoutTotal) return { backups: found, total: undefined };
        const isLast = !full && (found.length > 0 || skip === 0);
        return {
          backups: found,
          total: isLast ? skip + found.length : await count(filter, endsAt - performance.now(), signal),
        };
      }),

    anyInStorage: (storageId, signal) =>
      persist(
        signal,
        async () =>
          (await backups.findOne(
            { 'storage.id': storageId, 'deletion.state': { $in: ['None', 'Requested', 'Deleting', 'DeleteFailed'] } },
            { projection: { _id: 1 }, signal },
          )) !== null,
      ),
  };
}

/** Whether nothing narrows but when they were started. */
function isWholeFleet({ clusterIds, id, endedAtOrBefore, states, mode, origin, rule }: BackupFilter): boolean {
  const lists = clusterIds.length + states.length;
  return lists === 0 && [id, endedAtOrBefore, mode, origin, rule].every((one) => one === undefined);
}

/** No backup is from before or after; some servers refuse a range that ends before it begins. */
function inReach(time: Date): Date {
  return new Date(Math.min(Math.max(+time, +EPOCH + 1), +FAR));
}

function toQuery(filter: BackupFilter): Filter<Backup> {
  const { clusterIds, id, startedAtOrAfter, endedAtOrBefore, states, mode, origin, rule, includeDeleted } = filter;
  return {
    ...(clusterIds.length > 0 && { clusterId: clusterIds.length === 1 ? clusterIds[0] : { $in: [...clusterIds] } }),
    ...(id !== undefined && { _id: id }),
    // The millisecond before, excluded: some servers take what equals the bound of a part of an index for beyond it.
    ...(startedAtOrAfter && { startTime: { $gt: plus(inReach(startedAtOrAfter), -1), $lte: FAR } }),
    ...(endedAtOrBefore && {
      $or: [
        { endTime: { $gt: EPOCH, $lte: inReach(endedAtOrBefore) } },
        { endTime: null, startTime: { $gt: EPOCH, $lte: inReach(endedAtOrBefore) } },
      ],
    }),
    ...(states.length > 0 && { state: { $in: [...states] } }),
    ...(mode && { mode }),
    ...(origin && { origin }),
    ...(rule !== undefined && { rule }),
    // Not by the state of the deletion: of an index of that, which nearly all share, some servers read all.
    ...(!includeDeleted && { deleteTime: null }),
  };
}
