/**
 * The collection `verifications`.
 *
 * Every change is one of `task-store.ts`. The unique `slotKey` is how many backups of a storage are verified at once; what a
 * claim reads of it may be old, and then it is decided anew.
 */
import { MAX_OFFERED_VERIFICATIONS, MAX_QUEUED_VERIFICATIONS } from '@tidemark/limits/limits';
import { inPieces } from '@tidemark/mongo/in-pieces';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import { createTaskStore } from '@tidemark/mongo/task-store';
import { EPOCH, FAR } from '@tidemark/mongo/time-range';
import type { Db } from 'mongodb';
import type { Verification } from './verification.ts';
import {
  decideVerification,
  newVerification,
  type VerificationCommand,
  type VerificationDecision,
  type VerificationLimits,
  type VerificationWish,
} from './verification-transitions.ts';

export const VERIFICATION_INDEXES: readonly IndexSpec[] = [
  { collection: 'verifications', keys: { slotKey: 1 }, unique: true },
  { collection: 'verifications', keys: { 'task.ringAt': 1 } },
  { collection: 'verifications', keys: { state: 1, pool: 1, createTime: 1 } },
];

/** What became of a command: the decision, and the document after it. */
export interface AppliedToVerification {
  readonly decision: VerificationDecision;
  readonly verification: Verification;
}

/** What a claim must know beyond the document is found out by the store. */
type StoreCommand =
  | Exclude<VerificationCommand, { kind: 'claim' | 'ask' }>
  | Omit<Extract<VerificationCommand, { kind: 'claim' }>, 'slotKey'>;

/** Every method throws `unavailable` when the database does. */
export interface VerificationStore {
  /** The newest verification of a backup. */
  get(backupId: string, signal: AbortSignal): Promise<Verification | undefined>;
  /** The newest verifications of some backups. */
  find(backupIds: readonly string[], signal: AbortSignal): Promise<Verification[]>;
  /** Writes a new verification down; one that is under way is the answer instead. */
  ask(wish: VerificationWish, signal: AbortSignal): Promise<Verification>;
  /** Applies a command; undefined where no verification was ever asked for. */
  apply(backupId: string, command: StoreCommand, signal: AbortSignal): Promise<AppliedToVerification | undefined>;
  /**
   * Backups of which a worker of a pool may begin with the verification now, the first to be asked for first.
   *
   * @param worker.outOfReach digests of the storages that it cannot reach
   */
  wantedFrom(
    worker: { readonly pool: string; readonly outOfReach: readonly string[] },
    signal: AbortSignal,
  ): Promise<string[]>;
  /** How many wait for a worker; counted no further than `most`. */
  countQueued(most: number, signal: AbortSignal): Promise<number>;
  /** Backups whose verification is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
}

export interface VerificationStoreDependencies {
  readonly now: () => Date;
  readonly limits: VerificationLimits;
  /** How many backups of one storage are verified at once. */
  readonly perStorage: number;
  /** Called with each change that was written; without a document before for the first verification of a backup. */
  readonly onChanged: (before: Verification | undefined, after: Verification) => void;
}

type Waiting = Pick<Verification, '_id' | 'storageId' | 'storageDigest' | 'held' | 'task'>;

/** The store over a database. */
export function createVerificationStore(
  db: Db,
  { now, limits, perStorage, onChanged }: VerificationStoreDependencies,
): VerificationStore {
  const verifications = db.collection<Verification>('verifications');
  const tasks = createTaskStore(verifications, { now, onChanged });

  const slotsOf = (storageId: string) =>
    Array.from({ length: perStorage }, (_, index) => `storage:${storageId}:${index + 1}`);

  async function freeSlots(storageIds: readonly string[], signal: AbortSignal): Promise<Map<string, string[]>> {
    const taken = await verifications
      .find({ slotKey: { $in: storageIds.flatMap(slotsOf) } }, { projection: { slotKey: 1 }, signal })
      .map(({ slotKey }) => slotKey)
      .toArray();
    return new Map(storageIds.map((id) => [id, slotsOf(id).filter((slot) => !taken.includes(slot))]));
  }

  return {
    get: tasks.get,

    find: (backupIds, signal) =>
      persist(signal, () =>
        inPieces(backupIds, (some) => verifications.find({ _id: { $in: some } }, { signal }).toArray()),
      ),

    ask: (wish, signal) =>
      persist(signal, async () => {
        const prepare = async (before: Verification) => (at: Date) =>
          decideVerification(before, { kind: 'ask', wish }, at, limits);
        const written = await tasks.apply(wish.backup._id, prepare, signal);
        if (written) return written.after;
        try {
          const first = newVerification(wish, now());
          await verifications.insertOne(first);
          onChanged(undefined, first);
          return first;
        } catch (error) {
          if (!isDuplicateKey(error, '_id')) throw error;
          return 'again';
        }
      }),

    async apply(backupId, command, signal) {
      const refused = new Set<string>();
      const prepare = async (before: Verification) => {
        if (command.kind !== 'claim') return (at: Date) => decideVerification(before, command, at, limits);
        const free = before.state === 'Queued' ? await freeSlots([before.storageId], signal) : undefined;
        const slotKey = free?.get(before.storageId)?.find((slot) => !refused.has(slot));
        const claim = { ...command, ...(slotKey !== undefined && { slotKey }) };
        return (at: Date) => decideVerification(before, claim, at, limits);
      };
      const isConflict = (error: unknown, { slotKey }: Verification) => {
        const taken = isDuplicateKey(error, 'slotKey');
        if (taken) refused.add(slotKey);
        return taken;
      };
      const written = await tasks.apply(backupId, prepare, signal, isConflict);
      return written && { decision: written.decision, verification: written.after };
    },

    wantedFrom: ({ pool, outOfReach }, signal) =>
      persist(signal, async () => {
        const at = now();
        const queued: Waiting[] = await verifications
          .find(
            { state: 'Queued', pool, createTime: { $gt: EPOCH, $lt: FAR } },
            { projection: { storageId: 1, storageDigest: 1, held: 1, 'task.notBefore': 1 }, signal },
          )
          .sort({ createTime: 1 })
          .limit(MAX_QUEUED_VERIFICATIONS)
          .toArray();
        const ready = queued.filter(
          ({ held, storageDigest, task }) =>
            held && task && task.notBefore <= at && !outOfReach.includes(storageDigest),
        );
        if (ready.length === 0) return [];
        const free = await freeSlots([...new Set(ready.map(({ storageId }) => storageId))], signal);
        return ready
          .filter(({ storageId }) => (free.get(storageId) ?? []).length > 0)
          .slice(0, MAX_OFFERED_VERIFICATIONS)
          .map(({ _id }) => _id);
      }),

    countQueued: (most, signal) =>
      persist(signal, () => verifications.countDocuments({ state: 'Queued' }, { limit: most, signal })),

    findDue: tasks.findDue,
  };
}
