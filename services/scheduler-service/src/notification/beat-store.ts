/** The collection `notification_beats`: when each heartbeat was last sent, by whichever copy. */
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import type { Db } from 'mongodb';

export interface Beat {
  /** The receiver. */
  readonly _id: string;
  /** When a copy may send the next one. */
  readonly nextAt: Date;
  /** Of the last that was taken. */
  readonly beatAt: Date | null;
  /** Why there was none since; empty where the last one was taken. */
  readonly trouble: string;
}

/** Every method throws `unavailable` when the database does. */
export interface BeatStore {
  get(receiverId: string, signal: AbortSignal): Promise<Beat | undefined>;
  /** Whether this call may send the beat that is due: one copy may, and the next one not before `nextAt`. */
  take(receiverId: string, now: Date, nextAt: Date, signal: AbortSignal): Promise<boolean>;
  /** Forgets that of a receiver. */
  remove(receiverId: string, signal: AbortSignal): Promise<void>;
  /** How it went. */
  note(
    receiverId: string,
    how: Pick<Beat, 'trouble'> & Partial<Pick<Beat, 'beatAt'>>,
    signal: AbortSignal,
  ): Promise<void>;
}

export function createBeatStore(db: Db): BeatStore {
  const beats = db.collection<Beat>('notification_beats');
  return {
    get: (_id, signal) => persist(signal, async () => (await beats.findOne({ _id }, { signal })) ?? undefined),
    take: (_id, now, nextAt, signal) =>
      persist(signal, async () => {
        const known = await beats.findOne({ _id }, { signal });
        if (known) {
          // One that is further off was taken when the interval was longer.
          if (known.nextAt > now && known.nextAt <= nextAt) return false;
          return (await beats.updateOne({ _id, nextAt: known.nextAt }, { $set: { nextAt } })).matchedCount === 1;
        }
        try {
          await beats.insertOne({ _id, nextAt, beatAt: null, trouble: '' });
          return true;
        } catch (error) {
          if (isDuplicateKey(error)) return false;
          throw error;
        }
      }),
    remove: (_id, signal) =>
      persist(signal, async () => {
        await beats.deleteOne({ _id });
      }),
    note: (_id, how, signal) =>
      persist(signal, async () => {
        await beats.updateOne({ _id }, { $set: how });
      }),
  };
}
