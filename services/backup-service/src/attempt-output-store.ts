/**
 * The collection `attempt_output`: what the `br` of each attempt printed, in pieces.
 *
 * O1. A piece is named by backup, attempt and sequence, so a repeat changes nothing; sequences only grow.
 * O2. Of each attempt the first `MAX_OUTPUT_FIRST_BYTES` and the last `MAX_OUTPUT_LAST_BYTES` stay: what lies between goes as more comes.
 * O3. Pieces are kept for some days after they came, whatever becomes of the backup.
 */

import { MAX_OUTPUT_FIRST_BYTES, MAX_OUTPUT_LAST_BYTES } from '@tidemark/limits/limits';
import type { IndexSpec } from '@tidemark/mongo/indexes';
import { isDuplicateKey, orStoreError } from '@tidemark/mongo/mongo-error';
import { EPOCH } from '@tidemark/mongo/time-range';
import { Binary, type Db } from 'mongodb';

export const ATTEMPT_OUTPUT_INDEXES: readonly IndexSpec[] = [{ collection: 'attempt_output', keys: { at: 1 } }];

/** A piece of an attempt's output. */
export interface OutputPiece {
  readonly attempt: number;
  readonly sequence: number;
  /** Of the first byte, in everything that the attempt printed. */
  readonly offset: number;
  readonly data: Uint8Array;
}

/** Names a piece that was read already; the next ones follow it. */
export type OutputPosition = Pick<OutputPiece, 'attempt' | 'sequence'>;

export interface AttemptOutputStore {
  append(backupId: string, piece: OutputPiece, now: Date): Promise<void>;
  /** The next pieces after a position, in order; at most `limit`. */
  readAfter(backupId: string, position: OutputPosition, limit: number, signal: AbortSignal): Promise<OutputPiece[]>;
  /** Removes what came before an instant. */
  removeBefore(instant: Date): Promise<void>;
}

interface PieceDocument {
  readonly _id: string;
  readonly offset: number;
  readonly end: number;
  readonly data: Binary;
  readonly at: Date;
}

const PRUNE_EVERY = 16;
/** Sorts after every position of a backup and before every other backup. */
const LAST = ';';

const idOf = (backupId: string, { attempt, sequence }: OutputPosition) =>
  `${backupId}:${String(attempt).padStart(4, '0')}:${String(sequence).padStart(8, '0')}`;

/** The store over a database; every method throws AppError `unavailable` when the database does. */
export function createAttemptOutputStore(db: Db): AttemptOutputStore {
  const pieces = db.collection<PieceDocument>('attempt_output');

  const prune = (backupId: string, attempt: number, end: number) =>
    pieces.deleteMany({
      _id: {
        $gte: idOf(backupId, { attempt, sequence: 0 }),
        $lt: idOf(backupId, { attempt: attempt + 1, sequence: 0 }),
      },
      offset: { $gte: MAX_OUTPUT_FIRST_BYTES },
      end: { $lte: end - MAX_OUTPUT_LAST_BYTES },
    });

  return {
    append: (backupId, { attempt, sequence, offset, data }, now) =>
      orStoreError(async () => {
        const end = offset + data.length;
        try {
          const _id = idOf(backupId, { attempt, sequence });
          await pieces.insertOne({ _id, offset, end, data: new Binary(data), at: now });
        } catch (error) {
          if (!isDuplicateKey(error, '_id')) throw error;
        }
        if (sequence % PRUNE_EVERY === 0 && end > MAX_OUTPUT_FIRST_BYTES + MAX_OUTPUT_LAST_BYTES)
          await prune(backupId, attempt, end);
      }),

    readAfter: (backupId, position, limit, signal) =>
      orStoreError(async () => {
        const found = await pieces
          .find({ _id: { $gt: idOf(backupId, position), $lt: `${backupId}${LAST}` } }, { signal })
          .sort({ _id: 1 })
          .limit(limit)
          .toArray();
        return found.map(({ _id, offset, data }) => ({ ...positionOf(_id), offset, data: data.value() }));
      }),

    removeBefore: (instant) =>
      orStoreError(async () => {
        await pieces.deleteMany({ at: { $gt: EPOCH, $lt: instant } });
      }),
  };
}

function positionOf(id: string): OutputPosition {
  const [, attempt, sequence] = id.split(':');
  return { attempt: Number(attempt), sequence: Number(sequence) };
}
