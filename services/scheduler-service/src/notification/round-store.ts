/** The collection `notification_rounds`, of one document: who looks for what is to be told, and where that goes on. */
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import { createTaskStore } from '@tidemark/mongo/task-store';
import type { Db } from 'mongodb';
import { decideRound, newRound, type Round, type RoundCommand } from './decide/round.ts';

const ID = 'look';

/** Every method throws `unavailable` when the database does. */
export interface RoundStore {
  get(signal: AbortSignal): Promise<Round | undefined>;
  /** Decides and writes; the round after it where it is held, and undefined where it is lost. */
  apply(command: RoundCommand, signal: AbortSignal): Promise<Round | undefined>;
}

/** @param now database time */
export function createRoundStore(db: Db, now: () => Date): RoundStore {
  const rounds = db.collection<Round>('notification_rounds');
  const tasks = createTaskStore(rounds, { now, onChanged: () => undefined });
  return {
    get: (signal) => tasks.get(ID, signal),
    async apply(command, signal) {
      if (!(await tasks.get(ID, signal)))
        await persist(signal, async () => {
          await rounds.insertOne(newRound(ID, now())).catch((error: unknown) => {
            if (!isDuplicateKey(error)) throw error;
          });
        });
      const written = await tasks.apply(ID, async (round) => (at) => decideRound(round, command, at), signal);
      return written?.decision.answer === 'held' ? written.after : undefined;
    },
  };
}
