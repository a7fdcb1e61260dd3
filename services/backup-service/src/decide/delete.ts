import { atOnce } from '@tidemark/task/task';
import { later, plus } from '@tidemark/task/time';
import { type Backup, type Deletion, isActive, isTrashed } from '../backup.ts';
import { outOfBin, putIntoBin, requestRemoval } from './bin.ts';
import { type Command, type Decision, type Limits, OK } from './command.ts';
import { restedFrom } from './vocabulary.ts';

/** Records the wish to delete record and files; the files are a worker's business. */
export function deleteBackup(
  backup: Backup,
  {
    by,
    reason,
    requestId,
    newerGood,
    isBase,
    trashMs,
    permanently,
    unacknowledged,
  }: Extract<Command, { kind: 'delete' }>,
  now: Date,
  limits: Limits,
): Decision {
  if (isActive(backup)) return { answer: { kind: 'refused', why: 'active' } };
  const { deletion, state } = backup;
  const staysInBin = deletion.state === 'Trashed' && !permanently;
  if (backup.holds.length > 0 && !staysInBin) return { answer: { kind: 'refused', why: 'held' } };
  if (unacknowledged) return { answer: { kind: 'refused', why: 'losesPoints', loss: unacknowledged } };
  const person = by.kind === 'person';
  if ((deletion.state === 'Requested' || staysInBin) && deletion.by?.kind === 'retention' && person)
    return { answer: { kind: 'ok' }, next: { ...backup, deletion: { ...deletion, by, reason, requestId } } };
  const isUnderWay = deletion.state !== 'None' && !(deletion.state === 'DeleteFailed' && person);
  if (isUnderWay && !(isTrashed(backup) && permanently)) return OK;
  // Retention has no say in what people started or what failed, and never takes the last good backup of a
  // cluster, nor one that its log is replayed from.
  const retained = state === 'Succeeded' && (backup.origin === 'schedule' || backup.origin === 'log');
  if (!person && !retained) return { answer: { kind: 'refused', why: 'notScheduled' } };
  if (!person && !newerGood) return { answer: { kind: 'refused', why: 'newest' } };
  if (!person && isBase) return { answer: { kind: 'refused', why: 'base' } };

  const { trashUntil: _, ...before } = deletion;
  const wished: Deletion = { ...before, by, reason, requestId, at: now };
  if (state === 'Succeeded' && deletion.state === 'None' && trashMs > 0 && !permanently)
    return putIntoBin(backup, wished, plus(now, trashMs), now);
  const rested = state === 'Succeeded' ? restedFrom(backup, limits) : plus(now, limits.quietMs);
  return requestRemoval(isTrashed(backup) ? outOfBin(backup) : backup, wished, later(atOnce(now), rested));
}
