/**
 * The bin of a storage: good backups that were deleted, and that people can have back for some days.
 *
 * Z1. Only a good backup that nobody holds goes into the bin, and by the same rules as any deletion.
 * Z2. Nobody removes a file of what lies in the bin: its path is a leftover whose time never comes, so that no copy of the service
 *     grants its removal, whatever is told of it; copies of earlier versions, which know no bin, go by the same.
 * Z3. It leaves the bin for its removal once its time is over, or a person wants it gone for good, and nobody holds it; then it is a
 *     deletion like any other.
 * Z4. Until then it can be had back. What retention had deleted comes back pinned, as retention would delete it again.
 */
import { atOnce } from '@tidemark/task/task';
import { later } from '@tidemark/task/time';
import { type Backup, type Deletion, isPinned, isTrashed, type Leftover, PIN } from '../backup.ts';
import { type Command, type Decision, type Limits, OK } from './command.ts';
import { removeTask, restedFrom, withLeftover } from './vocabulary.ts';

/** When the files of what lies in the bin may be removed. No query for what is due comes this far. */
export const NEVER = new Date('9999-01-01T00:00:00Z');

/** Puts a good backup into the bin. */
export function putIntoBin(backup: Backup, deletion: Deletion, trashUntil: Date, now: Date): Decision {
  const trashed = { ...backup, deletion: { ...deletion, state: 'Trashed' as const, trashUntil }, deleteTime: now };
  return { answer: { kind: 'ok' }, next: withLeftovers(trashed, withOwnPath(backup, NEVER)) };
}

/** Takes a backup out of the bin: it is as good as before, and nobody deletes it. */
export function undelete(backup: Backup, { requestId }: Extract<Command, { kind: 'undelete' }>): Decision {
  const { deletion, holds } = backup;
  if (deletion.state === 'None') return OK;
  if (!isTrashed(backup)) return { answer: { kind: 'refused', why: 'notTrashed' } };
  const isKept = deletion.by?.kind === 'retention' && !isPinned(backup);
  const kept = isKept ? { ...backup, holds: [...holds, `${PIN}${requestId}`] } : backup;
  return { answer: { kind: 'ok' }, next: outOfBin(kept) };
}

/** Has the files of a backup removed whose time in the bin is over (Z3), unless retention counted on others that are gone. */
export function expire(
  backup: Backup,
  { newerGood, isBase }: Extract<Command, { kind: 'expire' }>,
  now: Date,
  limits: Limits,
): Decision {
  const { trashUntil, ...deletion } = backup.deletion;
  if (!isTrashed(backup) || !trashUntil || trashUntil > now || backup.holds.length > 0) return OK;
  const out = outOfBin(backup);
  if (deletion.by?.kind === 'retention' && (!newerGood || isBase)) return { answer: { kind: 'ok' }, next: out };
  return requestRemoval(out, deletion, later(atOnce(now), restedFrom(backup, limits)));
}

/**
 * Has record and files deleted.
 *
 * @param after from when on the files may be removed, where that is not known yet
 */
export function requestRemoval(backup: Backup, deletion: Deletion, after: Date): Decision {
  const isKnown = backup.leftovers.some(({ path }) => path === backup.path);
  const requested = { ...backup, deletion: { ...deletion, state: 'Requested' as const } };
  return {
    answer: { kind: 'ok' },
    next: withLeftovers(requested, isKnown ? backup.leftovers : withOwnPath(backup, after)),
    ...(!isOwned(backup) && { ring: true as const }),
  };
}

/** The backup as it was before it was put there. */
export function outOfBin(backup: Backup): Backup {
  const others = backup.leftovers.filter(({ path }) => path !== backup.path);
  return withLeftovers({ ...backup, deletion: { state: 'None' }, deleteTime: null }, others);
}

/** A worker that is at other paths goes on. */
function withLeftovers(backup: Backup, leftovers: readonly Leftover[]): Backup {
  const { task } = backup;
  const isAtOthers = isOwned(backup) && leftovers.length > 0;
  return { ...backup, leftovers, task: isAtOthers ? task : removeTask(leftovers, task) };
}

const isOwned = ({ task }: Backup) => task?.claim !== undefined;

/** The leftovers with the path of the backup; the files of a good one must be found before they count as removed. */
function withOwnPath({ leftovers, path, state }: Backup, after: Date): Leftover[] {
  const all = withLeftover(leftovers, path, after);
  if (state !== 'Succeeded') return all;
  return all.map((leftover) => (leftover.path === path ? { ...leftover, untouched: true } : leftover));
}
