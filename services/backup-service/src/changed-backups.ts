/**
 * The backups that changed since a moment, told page by page to copies of other services.
 *
 * C1. A change is told at least once, for as long as it becomes visible within `OVERLAP_MS` of its `updateTime`: each
 *     question goes back so far behind the last answer. Copies differ by less, and a write takes less.
 * C2. Where more changed than fits into an answer, the next goes on at the first that did not fit: what changed at one
 *     instant is parted only where it does not fit alone, and then the rest of it comes next. What is younger than
 *     `OVERLAP_MS` is then told by a later question.
 */
import { persist } from '@tidemark/mongo/persist';
import { plus } from '@tidemark/task/time';
import type { Db } from 'mongodb';
import { type Backup, type BackupState, FINISHED } from './backup.ts';

/** Of a backup, what a change may have touched. */
export type ChangedBackup = Pick<
  Backup,
  | '_id'
  | 'clusterId'
  | 'revision'
  | 'updateTime'
  | 'state'
  | 'deletion'
  | 'startTime'
  | 'endTime'
  | 'result'
  | 'verification'
  | 'rule'
  | 'reason'
> & { readonly storage: Pick<Backup['storage'], 'id'> };

/** From where changes are told, and how many at most. */
export interface ChangesWish {
  readonly after: Date;
  readonly limit: number;
  /** Also of backups that have not ended. */
  readonly active: boolean;
  /** The last change that was told, where others of its instant follow: only these are told. */
  readonly behind?: { readonly at: Date; readonly id: string };
  /** The first of the changes that fit into a message, at least one. */
  readonly fitting: (changes: readonly ChangedBackup[]) => readonly ChangedBackup[];
}

export interface ChangedBackups {
  readonly backups: readonly ChangedBackup[];
  /** The last that is told, where others of its instant are told next. */
  readonly behind?: { readonly at: Date; readonly id: string };
  /** Where the next question goes on. */
  readonly nextAfter: Date;
  /** Whether there is more at once. */
  readonly more: boolean;
}

export interface BackupChanges {
  /** The finished backups that changed since, or all, the oldest change first. @throws AppError `unavailable` */
  since(wish: ChangesWish, now: Date, signal: AbortSignal): Promise<ChangedBackups>;
}

/** How far each question about changes goes back behind the answer before. */
export const OVERLAP_MS = 10_000;
const ALL_STATES: readonly BackupState[] = [...FINISHED, 'Queued', 'Running', 'Canceling'];
const CHANGED_FIELDS = {
  clusterId: 1,
  revision: 1,
  updateTime: 1,
  state: 1,
  deletion: 1,
  startTime: 1,
  endTime: 1,
  'result.tso': 1,
  'result.sizeBytes': 1,
  rule: 1,
  // Not its detail, which may be long.
  'reason.code': 1,
  'reason.message': 1,
  'storage.id': 1,
  'verification.counts.state': 1,
} as const;

/** Over the collection `backups`, which it only reads. */
export function createBackupChanges(db: Db): BackupChanges {
  const backups = db.collection<Backup>('backups');

  /** Changes from an instant to another, both included, the oldest first. */
  async function changesIn(
    states: readonly BackupState[],
    { from, to, limit }: { readonly from: Date; readonly to: Date; readonly limit: number },
    signal: AbortSignal,
  ): Promise<ChangedBackup[]> {
    const found = await Promise.all(
      states.map((state) =>
        backups
          .find({ state, updateTime: { $gte: from, $lte: to } }, { projection: CHANGED_FIELDS, signal })
          .sort({ updateTime: 1 })
          .limit(limit)
          .toArray(),
      ),
    );
    return found
      .flat()
      .sort((one, other) => one.updateTime.getTime() - other.updateTime.getTime())
      .slice(0, limit);
  }

  /** What changed at one instant, by id. */
  async function changesAt(
    states: readonly BackupState[],
    { instant, afterId, limit }: { readonly instant: Date; readonly afterId: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<ChangedBackup[]> {
    const found = await Promise.all(
      states.map((state) =>
        backups
          .find({ state, updateTime: instant, _id: { $gt: afterId } }, { projection: CHANGED_FIELDS, signal })
          .sort({ _id: 1 })
          .limit(limit)
          .toArray(),
      ),
    );
    return found
      .flat()
      .sort((one, other) => (one._id < other._id ? -1 : 1))
      .slice(0, limit);
  }

  return {
    since: ({ after, limit, active, behind, fitting }, now, signal) =>
      persist(signal, async () => {
        const states = active ? ALL_STATES : FINISHED;
        if (behind) return ofInstant(behind.at, behind.id);
        const found = await changesIn(states, { from: plus(after, -OVERLAP_MS), to: now, limit: limit + 1 }, signal);
        const fit = fitting(found.slice(0, limit));
        const first = found[fit.length];
        if (!first) return { backups: found, nextAfter: now, more: false };
        const before = fit.filter(({ updateTime }) => updateTime < first.updateTime);
        return before.length > 0 ? told(before, first.updateTime, now) : ofInstant(first.updateTime, '');

        async function ofInstant(instant: Date, afterId: string): Promise<ChangedBackups> {
          const same = await changesAt(states, { instant, afterId, limit: limit + 1 }, signal);
          const backups = fitting(same.slice(0, limit));
          const last = backups.length < same.length ? backups.at(-1) : undefined;
          return { ...told(backups, plus(instant, 1), now), ...(last && { behind: { at: instant, id: last._id } }) };
        }
      }),
  };
}

/** An answer that ends before `border`: from there on the next one tells (C2). */
function told(changes: readonly ChangedBackup[], border: Date, now: Date): ChangedBackups {
  const goesOn = plus(border, OVERLAP_MS);
  const more = goesOn < now;
  return { backups: changes, nextAfter: more ? goesOn : now, more };
}
