/**
 * The collection `backups`: reads, and what a decision must know beyond its document.
 *
 * B1. Every change is one of `task-store.ts`.
 * B2. A slot that somebody else took meanwhile is not offered again by the decision that is made anew.
 * B3. The keys that exclude each other (`activeKey`, `slotKey`, `basePath`) are plain unique indexes (T6, T10).
 */

import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { createPages, type Page, type PageWish } from '@tidemark/mongo/pages';
import { persist } from '@tidemark/mongo/persist';
import { createTaskStore, type Shape } from '@tidemark/mongo/task-store';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Db } from 'mongodb';
import type { Backup } from './backup.ts';
import { type BackupFilter, toSelection } from './backup-filter.ts';
import { NOT_LISTED } from './backup-message.ts';
import type { Command, Decision, Limits, Peer } from './decide/command.ts';
import { decide } from './decide/decide.ts';
import { clusterKey } from './decide/vocabulary.ts';
import type { FinishedBackups } from './finished-backups.ts';
import { type Occupants, sentenceOf } from './occupants.ts';
import { digestOf, toPeers } from './presence.ts';
import type { PresenceStore } from './presence-store.ts';
import { isAcknowledged, type Loss } from './recovery/would-lose.ts';
import type { Restore } from './restore/restore.ts';
import { fromStored, isRestore } from './restore/stored-restore.ts';
import type { Slots } from './slots.ts';
import type { StoragePlaces } from './storage-places.ts';

export const BACKUP_INDEXES: readonly IndexSpec[] = [
  { collection: 'backups', keys: { activeKey: 1 }, unique: true },
  { collection: 'backups', keys: { slotKey: 1 }, unique: true },
  { collection: 'backups', keys: { basePath: 1 }, unique: true },
  { collection: 'backups', keys: { 'task.ringAt': 1 } },
  { collection: 'backups', keys: { 'deletion.trashUntil': 1 } },
  { collection: 'backups', keys: { clusterId: 1, startTime: -1, _id: -1 } },
  { collection: 'backups', keys: { startTime: -1, _id: -1 } },
];

/** The order of the list of backups, and what no row of it tells. */
export const BACKUP_PAGES = { time: 'startTime', leftOut: NOT_LISTED } as const;

const DAY_MS = 86_400_000;
/** The deletions of backups whose files may lie in their storage. */
const IN_STORAGE = ['None', 'Trashed', 'Requested', 'Deleting', 'DeleteFailed'] as const;

/** Restores lie beside backups, and in another form. */
const SHAPE: Shape<Backup> = {
  read: (stored) => (isRestore(stored) ? undefined : (stored as Backup)),
  placeOf: (field) => field,
};

/** What became of a command: the decision, and the document before and after it. */
export interface Applied {
  readonly decision: Decision;
  readonly before: Backup;
  readonly backup: Backup;
}

export interface BackupStoreDependencies {
  readonly now: () => Date;
  readonly limits: Limits;
  readonly slots: Pick<Slots, 'slotFor'>;
  readonly occupants: Pick<Occupants, 'restoreIn'>;
  readonly finished: Pick<FinishedBackups, 'hasNewerGood'>;
  /** Whether points of its cluster's log backup would be lost with a backup, judged as if nobody wanted it removed. */
  readonly isNeededAsBase: (backup: Backup, signal: AbortSignal) => Promise<boolean>;
  /** What a person's removal of a good backup would lose, judged the same way; undefined: nothing. */
  readonly lossOfRemoval: (backup: Backup, signal: AbortSignal) => Promise<Loss | undefined>;
  /** For how many days a storage keeps deleted backups; 0 where it does not, or is not registered. */
  readonly trashDays: (storageId: string, signal: AbortSignal) => Promise<number>;
  readonly presences: Pick<PresenceStore, 'present'>;
  /** Whether the cluster of a backup may use its storage, as both are registered now; one that is unknown it may. */
  readonly mayUseStorage: (backup: Backup, signal: AbortSignal) => Promise<boolean>;
  readonly places: Pick<StoragePlaces, 'granted' | 'elsewhere' | 'lastMove'>;
  /** Called with each change that was written. */
  readonly onChanged: (before: Backup, after: Backup) => void;
}

/** A backup, or a restore. */
export type Occupant =
  | { readonly backup: Backup; readonly restore?: never }
  | { readonly restore: Restore; readonly backup?: never };

/** What a person was told of the points that go. */
interface Acknowledging {
  readonly acknowledge?: string;
}

/** What a claim, a removal or the end of the time in the bin must know beyond its document is found out by the store. */
type StoreCommand =
  | Exclude<Command, { kind: 'claim' | 'delete' | 'forget' | 'expire' }>
  | (Omit<
      Extract<Command, { kind: 'claim' }>,
      'slotKey' | 'storageDenied' | 'taken' | 'newerGood' | 'isBase' | 'outOfReach' | 'peers' | 'passOnMs'
    > & {
      /** Digests of the storages that the worker cannot reach. */
      readonly unreachable?: readonly string[];
    })
  | (Omit<Extract<Command, { kind: 'delete' }>, 'newerGood' | 'isBase' | 'trashMs' | 'unacknowledged'> & Acknowledging)
  | (Omit<Extract<Command, { kind: 'forget' }>, 'unacknowledged'> & Acknowledging)
  | Omit<Extract<Command, { kind: 'expire' }>, 'newerGood' | 'isBase'>;

/** Long enough for the ring of another task to come before or behind it. */
const LONGEST_PASS_ON_MS = 1_000;

export interface BackupStore {
  get(id: string, signal: AbortSignal): Promise<Backup | undefined>;
  /** Inserts a new backup; says which key was taken if it was not. */
  insert(backup: Backup, signal: AbortSignal): Promise<'inserted' | '_id' | 'activeKey' | 'basePath'>;
  /**
   * Applies a command; undefined when there is no such backup.
   *
   * @param look at the record before it is decided; what it throws is thrown
   * @throws AppError `unavailable`
   */
  apply(
    id: string,
    command: StoreCommand,
    signal: AbortSignal,
    look?: (backup: Backup) => void,
  ): Promise<Applied | undefined>;
  /** What occupies a cluster: its active backup, or a restore into it. */
  findActive(clusterId: string, signal: AbortSignal): Promise<Occupant | undefined>;
  /** The backup that was given a path, whether or not it is deleted. */
  findByPath(basePath: string, signal: AbortSignal): Promise<Backup | undefined>;
  /** Ids of backups whose task is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Ids of backups whose time in the bin is over, and that nobody holds, the longest due first. */
  findExpired(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Ids of backups of a storage whose task failed or was given back, and is tried again later than now. */
  findSetBack(storageId: string, now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** A page of backups, newest first, and how many there are in all (`@tidemark/mongo/pages`). @throws AppError as `Pages.read` */
  list(filter: BackupFilter, page: PageWish, signal: AbortSignal): Promise<Page<Backup>>;
  /** Whether a backup that is not deleted lies in the storage. */
  anyInStorage(storageId: string, signal: AbortSignal): Promise<boolean>;
}

/** The store over a database. */
export function createBackupStore(
  db: Db,
  {
    now,
    limits,
    slots,
    occupants,
    finished,
    isNeededAsBase,
    lossOfRemoval,
    trashDays,
    presences,
    places,
    mayUseStorage,
    onChanged,
  }: BackupStoreDependencies,
): BackupStore {
  const backups = db.collection<Backup>('backups');
  const tasks = createTaskStore(backups, { now, onChanged }, SHAPE);
  const pages = createPages(backups, BACKUP_PAGES);

  async function peersOf({ target }: Backup, digest: string, signal: AbortSignal): Promise<Peer[]> {
    return toPeers(await presences.present(target.pool, signal), digest);
  }

  /** Of the storage as a worker is granted it today. */
  const digestToday = async (backup: Backup, signal: AbortSignal) => digestOf(await places.granted(backup, signal));

  /** What retention counts on where it wants a backup removed. */
  async function countsOn(backup: Backup, byRetention: boolean, signal: AbortSignal) {
    if (!byRetention) return { newerGood: false };
    const [newerGood, isBase] = await Promise.all([
      finished.hasNewerGood(backup, signal),
      isNeededAsBase(backup, signal),
    ]);
    return { newerGood, isBase };
  }

  /** What would be lost and was not acknowledged; what is to go already, as a person wishes, is not counted on by anybody. */
  async function unacknowledgedOf(backup: Backup, acknowledge: string | undefined, signal: AbortSignal) {
    const { state, deletion } = backup;
    const isCountedOn =
      deletion.state === 'None' ||
      (deletion.by?.kind === 'retention' && (deletion.state === 'Requested' || deletion.state === 'Trashed'));
    if (state !== 'Succeeded' || !isCountedOn) return {};
    const loss = await lossOfRemoval(backup, signal);
    return loss && !isAcknowledged(loss, acknowledge) ? { unacknowledged: loss } : {};
  }

  async function withFindings(
    command: StoreCommand,
    backup: Backup,
    refused: Set<string>,
    signal: AbortSignal,
  ): Promise<Command> {
    if (command.kind === 'delete') {
      const { acknowledge, ...wish } = command;
      const isNew = backup.deletion.state === 'None';
      const byRetention = command.by.kind === 'retention';
      const [counts, days, loss] = await Promise.all([
        countsOn(backup, byRetention && isNew, signal),
        isNew && backup.state === 'Succeeded' ? trashDays(backup.storage.id, signal) : 0,
        byRetention ? {} : unacknowledgedOf(backup, acknowledge, signal),
      ]);
      return { ...wish, ...counts, ...loss, trashMs: days * DAY_MS };
    }
    if (command.kind === 'forget') {
      const { acknowledge, ...wish } = command;
      return { ...wish, ...(await unacknowledgedOf(backup, acknowledge, signal)) };
    }
    if (command.kind === 'expire') {
      const counted = backup.deletion.by?.kind === 'retention';
      return { ...command, ...(await countsOn(backup, counted, signal)) };
    }
    if (command.kind === 'complete') {
      const { outcome } = command;
      const handedBack = outcome.kind === 'wait' && outcome.handBack !== undefined;
      const isEmpty = outcome.kind === 'removed' && (outcome.empty ?? []).length > 0;
      const mayFail = backup.task?.kind === 'remove' && (handedBack || isEmpty || outcome.kind === 'removeFailed');
      const elsewhere = mayFail ? await places.elsewhere(backup, signal) : undefined;
      const moved = mayFail && isEmpty ? await places.lastMove(backup, signal) : undefined;
      return {
        ...command,
        ...(moved && { moved }),
        ...(handedBack && { peers: await peersOf(backup, await digestToday(backup, signal), signal) }),
        ...(elsewhere !== undefined && { elsewhere }),
      };
    }
    if (command.kind !== 'claim') return command;
    const { unreachable = [], ...claim } = command;
    const handedBack = (backup.handBacks ?? []).length > 0;
    const digest = unreachable.length > 0 || handedBack ? await digestToday(backup, signal) : '';
    const outOfReach = unreachable.includes(digest);
    const inDoubt = outOfReach || handedBack;
    const isQueued = backup.state === 'Queued';
    const { clusterId, target } = backup;
    const [slotKey, mayUse, elsewhere] = await Promise.all([
      isQueued ? slots.slotFor(backup, refused, now(), signal) : undefined,
      isQueued ? mayUseStorage(backup, signal) : true,
      isQueued ? occupants.restoreIn({ ...target, clusterId }, signal) : undefined,
    ]);
    const counted = backup.deletion.state === 'Requested' && backup.deletion.by?.kind === 'retention';
    return {
      ...claim,
      ...(outOfReach && { outOfReach }),
      ...(inDoubt && { peers: await peersOf(backup, digest, signal), passOnMs: Math.random() * LONGEST_PASS_ON_MS }),
      ...(slotKey !== undefined && { slotKey }),
      ...(!mayUse && { storageDenied: true }),
      ...(elsewhere && { taken: sentenceOf({ ...target, clusterId }, elsewhere) }),
      ...(await countsOn(backup, counted, signal)),
    };
  }

  return {
    get: tasks.get,

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

    async apply(id, command, signal, look) {
      const refused = new Set<string>();
      const prepare = async (before: Backup) => {
        look?.(before);
        const ready = await withFindings(command, before, refused, signal);
        return (at: Date) => decide(before, ready, at, limits);
      };
      const isConflict = (error: unknown, { slotKey }: Backup) => {
        const taken = isDuplicateKey(error, 'slotKey');
        if (taken) refused.add(slotKey);
        return taken;
      };
      const written = await tasks.apply(id, prepare, signal, isConflict);
      return written && { decision: written.decision, before: written.before, backup: written.after };
    },

    findActive: (clusterId, signal) =>
      persist(signal, async () => {
        const stored = await backups.findOne({ activeKey: clusterKey(clusterId) }, { signal });
        if (!stored) return undefined;
        const restore = fromStored(stored);
        return restore ? { restore } : { backup: stored };
      }),

    findByPath: (basePath, signal) =>
      persist(signal, async () => (await backups.findOne({ basePath }, { signal })) ?? undefined),

    findDue: tasks.findDue,

    findExpired: (at, limit, signal) =>
      persist(signal, async () => {
        const over = await backups
          .find(
            { 'deletion.trashUntil': { $gt: EPOCH, $lte: at }, 'deletion.state': 'Trashed' },
            { projection: { holds: 1 }, signal },
          )
          .sort({ 'deletion.trashUntil': 1 })
          .toArray();
        return over
          .filter(({ holds }) => holds.length === 0)
          .slice(0, limit)
          .map(({ _id }) => _id);
      }),

    findSetBack: (storageId, at, limit, signal) =>
      persist(signal, async () => {
        const waiting = await backups
          .find(
            { 'task.ringAt': { $gt: at, $lt: FAR }, 'storage.id': storageId },
            { projection: { task: 1, handBacks: 1 }, signal },
          )
          .toArray();
        return waiting
          .filter(({ task, handBacks = [] }) => task && task.notBefore > at && (task.tries > 0 || handBacks.length > 0))
          .slice(0, limit)
          .map(({ _id }) => _id);
      }),

    list: (filter, wish, signal) => persist(signal, () => pages.read(toSelection(filter), wish, now(), signal)),

    anyInStorage: (storageId, signal) =>
      persist(
        signal,
        async () =>
          (await backups.findOne(
            { 'storage.id': storageId, 'deletion.state': { $in: [...IN_STORAGE] } },
            { projection: { _id: 1 }, signal },
          )) !== null,
      ),
  };
}
