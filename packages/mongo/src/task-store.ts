/**
 * Documents with a task, and the one form in which they are written (architecture 2).
 *
 * W1. Every change is read → decide → `updateOne({_id, revision})`; what no longer matches, or whose outcome is unknown,
 *     is read and decided again. A command recognises its own effect, so that is harmless.
 * W2. Only what the decision changed is written, with `revision + 1`.
 */

import type { Tasked } from '@tidemark/task/task';
import type { Collection, Document } from 'mongodb';
import { persist } from './persist.ts';
import { EPOCH } from './time-range.ts';

export interface TaskDocument extends Tasked {
  readonly _id: string;
  readonly revision: number;
  readonly updateTime: Date;
}

/** What became of a command: the decision, and the document before and after it. */
export interface Written<D, R> {
  readonly decision: R;
  readonly before: D;
  readonly after: D;
}

/** Looks up what a decision needs beyond the document; what it answers decides, at an instant of database time. */
export type Prepare<D, R> = (before: D) => Promise<(at: Date) => R>;

/** Every method throws `unavailable` when the database does. */
export interface TaskStore<D extends TaskDocument> {
  get(id: string, signal: AbortSignal): Promise<D | undefined>;
  /**
   * Decides and writes; undefined when there is no such document.
   *
   * @param isConflict whether an error of the write means that it is to be decided anew
   */
  apply<R extends { readonly next?: D }>(
    id: string,
    prepare: Prepare<D, R>,
    signal: AbortSignal,
    isConflict?: (error: unknown, next: D) => boolean,
  ): Promise<Written<D, R> | undefined>;
  /** Ids of documents whose task is to be looked at, the longest due first. */
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
}

/** How the documents of one kind lie in their collection. */
export interface Shape<D> {
  /** The document that is stored; undefined where it is of another kind. */
  read(stored: Document): D | undefined;
  /** Where a field of it lies. */
  placeOf(field: string): string;
}

export interface TaskStoreDependencies<D> {
  readonly now: () => Date;
  /** Called with each change that was written. */
  readonly onChanged: (before: D, after: D) => void;
}

/** Documents that lie as they are in a collection of their own. */
const plain = <D>(): Shape<D> => ({ read: (stored) => stored as D, placeOf: (field) => field });

/** The store over a collection. */
export function createTaskStore<D extends TaskDocument>(
  collection: Collection<D>,
  { now, onChanged }: TaskStoreDependencies<D>,
  { read, placeOf }: Shape<D> = plain(),
): TaskStore<D> {
  // The driver's types do not follow those of a document that is not known yet.
  const documents = collection as unknown as Collection<TaskDocument>;
  const find = async (id: string, signal: AbortSignal) => {
    const stored = await documents.findOne({ _id: id }, { signal });
    return stored ? read(stored) : undefined;
  };

  async function write(before: D, next: D, at: Date): Promise<D | undefined> {
    const after: D = { ...next, revision: before.revision + 1, updateTime: at };
    const changed = Object.entries(after).filter(([field, value]) => before[field as keyof D] !== value);
    const { matchedCount } = await documents.updateOne(
      { _id: before._id, revision: before.revision },
      { $set: Object.fromEntries(changed.map(([field, value]) => [placeOf(field), value])) },
    );
    return matchedCount === 1 ? after : undefined;
  }

  return {
    get: (id, signal) => persist(signal, () => find(id, signal)),

    apply: (id, prepare, signal, isConflict = () => false) =>
      persist(signal, async () => {
        const before = await find(id, signal);
        if (!before) return undefined;
        const decide = await prepare(before);
        const at = now();
        const decision = decide(at);
        if (!decision.next) return { decision, before, after: before };
        try {
          const after = await write(before, decision.next, at);
          if (!after) return 'again';
          onChanged(before, after);
          return { decision, before, after };
        } catch (error) {
          if (!isConflict(error, decision.next)) throw error;
          return 'again';
        }
      }),

    findDue: (at, limit, signal) =>
      persist(signal, () =>
        documents
          .find({ [placeOf('task.ringAt')]: { $gt: EPOCH, $lte: at } }, { projection: { _id: 1 }, signal })
          .sort({ [placeOf('task.ringAt')]: 1 })
          .limit(limit)
          .map(({ _id }) => _id)
          .toArray(),
      ),
  };
}
