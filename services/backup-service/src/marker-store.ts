/**
 * The collection `storage_markers`: the random number that a storage is known by, which lies in its marker file too. It is
 * kept apart from the registration, which is put whole.
 *
 * N1. A number belongs to a storage at a place. A registration that is moved has none at the new place, and older backups
 *     keep the one of theirs.
 * N2. A place has one candidate, so that two workers that write a marker at the same time write the same.
 * N3. The first number wins, by compare-and-set; only an admin replaces the one that was there when the wish was made.
 * N4. What was proven to be moved from a place is kept with the place, one document for each move, whose id has the number of
 *     those before it: so of two at the same time one is written. It is never changed; who follows it is decided by when
 *     (`storage-moves.ts`).
 */
import { createHash, randomBytes } from 'node:crypto';
import { isDuplicateKey } from '@tidemark/mongo/mongo-error';
import { persist } from '@tidemark/mongo/persist';
import type { Db } from 'mongodb';
import type { Move, Moves } from './storage-moves.ts';

interface MoveDocument extends Move {
  /** Of storage, place, and how many moves of it came before. */
  readonly _id: string;
  readonly storageId: string;
  readonly place: string;
  readonly kind: 'move';
}

interface MarkerDocument {
  /** Of storage and place. */
  readonly _id: string;
  readonly storageId: string;
  /** As `placeOf` names it. */
  readonly place: string;
  /** What is written where no marker lies. */
  readonly candidate: string;
  /** Empty while the storage is known by none. */
  readonly number: string;
  readonly createTime: Date;
  readonly updateTime: Date;
}

/** A storage at a place. */
export interface MarkedPlace {
  readonly storageId: string;
  readonly place: string;
}

/** Every method throws `unavailable` when the database does. */
export interface MarkerStore {
  /** The number that the storage is known by at a place; empty while it is known by none. */
  numberAt(at: MarkedPlace, signal: AbortSignal): Promise<string>;
  /** The same, and what is to be written where no marker lies: the number, or else the candidate. */
  open(at: MarkedPlace, signal: AbortSignal): Promise<{ readonly number: string; readonly candidate: string }>;
  /**
   * Takes down the number that was found, or written, unless there is one already.
   *
   * @param instead of this number; empty where there is to be none yet
   * @returns the number that counts
   */
  settle(at: MarkedPlace, number: string, instead: string, signal: AbortSignal): Promise<string>;
  /** Where what lay at places of a storage was moved to. */
  moves(storageId: string, signal: AbortSignal): Promise<Moves>;
  /**
   * Takes down that what lay at a place lies elsewhere from now on.
   *
   * @param known how many moves of the place were known when that was asked
   * @returns what counts: the move, or the one that was taken down since; and whether it is new
   */
  move(
    at: MarkedPlace,
    move: Omit<Move, 'at'>,
    known: number,
    signal: AbortSignal,
  ): Promise<{ readonly move: Move; readonly isNew: boolean }>;
  /** Forgets all numbers and moves of a storage. */
  removeAll(storageId: string, signal: AbortSignal): Promise<void>;
}

const NUMBER_BYTES = 16;

/** Whether a text is the number of a marker. */
export const isMarkerNumber = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

/** The store over a database. */
export function createMarkerStore(db: Db, now: () => Date): MarkerStore {
  const markers = db.collection<MarkerDocument>('storage_markers');
  const moves = db.collection<MoveDocument>('storage_markers');

  const find = async (at: MarkedPlace, signal: AbortSignal) =>
    (await markers.findOne({ _id: idOf(at) }, { signal })) ?? undefined;

  async function findOrMake(at: MarkedPlace, signal: AbortSignal): Promise<MarkerDocument> {
    const there = await find(at, signal);
    if (there) return there;
    const candidate = randomBytes(NUMBER_BYTES).toString('hex');
    const made = { _id: idOf(at), ...at, candidate, number: '', createTime: now(), updateTime: now() };
    try {
      await markers.insertOne(made);
      return made;
    } catch (error) {
      if (!isDuplicateKey(error, '_id')) throw error;
      return (await find(at, signal)) ?? made;
    }
  }

  return {
    numberAt: (at, signal) => persist(signal, async () => (await find(at, signal))?.number ?? ''),

    open: (at, signal) =>
      persist(signal, async () => {
        const { number, candidate } = await findOrMake(at, signal);
        return { number, candidate: number || candidate };
      }),

    settle: (at, number, instead, signal) =>
      persist(signal, async () => {
        await findOrMake(at, signal);
        await markers.updateOne({ _id: idOf(at), number: instead }, { $set: { number, updateTime: now() } });
        return (await find(at, signal))?.number ?? 'again';
      }),

    moves: (storageId, signal) =>
      persist(signal, async () => {
        const found = await moves.find({ storageId, kind: 'move' }, { signal }).toArray();
        found.sort((one, other) => one.at.getTime() - other.at.getTime());
        return Map.groupBy(found, ({ place }) => place);
      }),

    move: (at, move, known, signal) =>
      persist(signal, async () => {
        const made: MoveDocument = { _id: `${idOf(at)}:${known}`, ...at, kind: 'move', ...move, at: now() };
        try {
          await moves.insertOne(made);
          return { move: made, isNew: true };
        } catch (error) {
          if (!isDuplicateKey(error, '_id')) throw error;
          const there = await moves.findOne({ _id: made._id }, { signal });
          return there ? { move: there, isNew: false } : 'again';
        }
      }),

    removeAll: (storageId, signal) =>
      persist(signal, async () => {
        await markers.deleteMany({ storageId });
      }),
  };
}

function idOf({ storageId, place }: MarkedPlace): string {
  return `${storageId}:${createHash('sha256').update(place).digest('hex').slice(0, 32)}`;
}
