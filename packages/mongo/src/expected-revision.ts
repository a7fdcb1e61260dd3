/** Saves that hold for one state of a record: who edits what somebody else has saved meanwhile is told, and overwrites nothing. */
import { AppError } from '@tidemark/errors/app-error';

/** What of a record says which state it is in. */
export interface Revised {
  readonly revision: number;
  /** Its revision at the last save, where that also grows by what nobody saves; absent: the same. */
  readonly savedRevision?: number;
}

/**
 * Looks whether a record is as a save expects it. It must then be written by compare-and-set on the revision that was looked
 * at here.
 *
 * @param what the record is called, for people, such as "Cluster orders"
 * @param expected nothing: any state; 0: it is not there
 * @param is undefined where it is not there
 * @throws AppError `revision_changed`
 */
export function requireRevision(what: string, expected: bigint | undefined, is: Revised | undefined): void {
  if (expected === undefined) return;
  const { revision = 0, savedRevision = revision } = is ?? {};
  if (expected <= BigInt(revision) && expected >= BigInt(savedRevision)) return;
  const stands = is ? `is at revision ${revision}` : 'is not there';
  const sentence = expected === 0n ? 'this save is to make it' : `this save is about revision ${expected}`;
  throw new AppError(
    'revision_changed',
    `${what} ${stands}, and ${sentence}: look at it as it is now, and save again.`,
    {
      info: { revision: String(revision) },
    },
  );
}
