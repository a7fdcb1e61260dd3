import { atOnce } from '@tidemark/task/task';
import { later, plus } from '@tidemark/task/time';
import { type Backup, isActive, type Leftover } from '../backup.ts';
import { type Command, type Decision, type Limits, OK } from './command.ts';
import { removeTask, restedFrom, withLeftover } from './vocabulary.ts';

/** Records the wish to delete record and files; the files are a worker's business. */
export function deleteBackup(
  backup: Backup,
  { by, reason, requestId, newerGood }: Extract<Command, { kind: 'delete' }>,
  now: Date,
  limits: Limits,
): Decision {
  if (isActive(backup)) return { answer: { kind: 'refused', why: 'active' } };
  if (backup.holds.length > 0) return { answer: { kind: 'refused', why: 'held' } };
  const { deletion, task } = backup;
  const person = by.kind === 'person';
  if (deletion.state === 'Requested' && deletion.by?.kind === 'retention' && person)
    return { answer: { kind: 'ok' }, next: { ...backup, deletion: { ...deletion, by, reason, requestId } } };
  if (deletion.state !== 'None' && !(deletion.state === 'DeleteFailed' && person)) return OK;
  // Retention has no say in what people started or what failed, and never takes the last good backup of a cluster.
  const retained = backup.state === 'Succeeded' && backup.origin === 'schedule';
  if (!person && !retained) return { answer: { kind: 'refused', why: 'notScheduled' } };
  if (!person && !newerGood) return { answer: { kind: 'refused', why: 'newest' } };

  const known = backup.leftovers.some(({ path }) => path === backup.path);
  const rested = backup.state === 'Succeeded' ? restedFrom(backup, limits) : plus(now, limits.quietMs);
  const leftovers = known ? backup.leftovers : withOwnPath(backup, later(atOnce(now), rested));
  const owned = task?.claim !== undefined;
  return {
    answer: { kind: 'ok' },
    next: {
      ...backup,
      deletion: { ...deletion, state: 'Requested', by, reason, requestId, at: now },
      leftovers,
      task: owned ? task : removeTask(leftovers, task),
    },
    ...(!owned && { ring: true as const }),
  };
}

/** The leftovers with the path of the backup; the files of a good one must be found before they count as removed. */
function withOwnPath({ leftovers, path, state }: Backup, after: Date): Leftover[] {
  const all = withLeftover(leftovers, path, after);
  if (state !== 'Succeeded') return all;
  return all.map((leftover) => (leftover.path === path ? { ...leftover, untouched: true } : leftover));
}
