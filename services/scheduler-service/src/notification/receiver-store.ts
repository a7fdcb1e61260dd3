/** The collection `notification_receivers`, which people change by compare-and-set on the revision. */
import { MAX_RECEIVERS } from '@tidemark/limits/limits';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import type { Db } from 'mongodb';
import type { Receiver } from './decide/receiver.ts';

/** Every method throws `unavailable` when the database does. */
export interface ReceiverStore {
  get(id: string, signal: AbortSignal): Promise<Receiver | undefined>;
  /** All, by id. */
  list(signal: AbortSignal): Promise<Receiver[]>;
  /** Changes one, or makes it; `change` may be called more than once, and answers undefined for no change. */
  change(
    id: string,
    change: (before: Receiver | undefined) => Receiver | undefined,
    signal: AbortSignal,
  ): Promise<Receiver | undefined>;
  /** Whether it was there. */
  remove(id: string, signal: AbortSignal): Promise<boolean>;
}

/** Ids of those that get nothing now. */
export function pausedOf(receivers: readonly Receiver[]): string[] {
  return receivers.filter(({ paused }) => paused).map(({ _id }) => _id);
}

export function createReceiverStore(db: Db): ReceiverStore {
  const receivers = db.collection<Receiver>('notification_receivers');

  async function write(before: Receiver | undefined, after: Receiver): Promise<boolean> {
    try {
      if (before)
        return (await receivers.replaceOne({ _id: after._id, revision: before.revision }, after)).matchedCount === 1;
      await receivers.insertOne(after);
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  return {
    get: (id, signal) => persist(signal, async () => (await receivers.findOne({ _id: id }, { signal })) ?? undefined),
    list: (signal) =>
      persist(signal, () =>
        receivers
          .find({}, { signal })
          .sort({ _id: 1 })
          .limit(2 * MAX_RECEIVERS)
          .toArray(),
      ),
    change: (id, change, signal) =>
      persist<Receiver | undefined>(signal, async () => {
        const before = (await receivers.findOne({ _id: id }, { signal })) ?? undefined;
        const after = change(before);
        if (!after) return before;
        return (await write(before, after)) ? after : 'again';
      }),
    remove: (id, signal) => persist(signal, async () => (await receivers.deleteOne({ _id: id })).deletedCount > 0),
  };
}
