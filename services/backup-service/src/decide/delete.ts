import { atOnce } from '@tidemark/task/task';
import { later, plus } from '@tidemark/task/time';
import { type Backup, type Deletion, isActive } from '../backup.ts';
import { putIntoBin, requestRemoval } from './bin.ts';
import { type Command, type Decision, type Limits, OK } from './command.ts';
import { restedFrom } from './vocabulary.ts';

/** Records the wish to delete record and files; the files are a worker's business. */
export function deleteBackup(
  backup: Backup,
  { by, reason, requestId, newerGood, trashMs }: Extract<Command, { kind: 'delete' }>,
  now: Date,
  limits: Limits,
): Decision {
  if (isActive(backup)) return { answer: { kind: 'refused', why: 'active' } };
  const { deletion, state } = backup;
  const isInBin = deletion.state === 'Trashed';
  if (backup.holds.length > 0 && !isInBin) return { answer: { kind: 'refused', why: 'held' } };
  const person = by.kind === 'person';
  if ((deletion.state === 'Requested' || isInBin) && deletion.by?.kind === 'retention' && person)
    return { answer: { kind: 'ok' }, next: { ...backup, deletion: { ...deletion, by, reason, requestId } } };
  if (deletion.state !== 'None' && !(deletion.state === 'DeleteFailed' && person)) return OK;
  // Retention has no say in what people started or what failed, and never takes the last good backup of a cluster.
  const retained = state === 'Succeeded' && backup.origin === 'schedule';
  if (!person && !retained) return { answer: { kind: 'refused', why: 'notScheduled' } };
  if (!person && !newerGood) return { answer: { kind: 'refused', why: 'newest' } };

  const wished: Deletion = { ...deletion, by, reason, requestId, at: now };
  if (state === 'Succeeded' && deletion.state === 'None' && trashMs > 0)
    return putIntoBin(backup, wished, plus(now, trashMs), now);
  const rested = state === 'Succeeded' ? restedFrom(backup, limits) : plus(now, limits.quietMs);
  return requestRemoval(backup, wished, later(atOnce(now), rested));
}
