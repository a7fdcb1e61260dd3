import { type Backup, isPinned, isTrashed, PIN } from '../backup.ts';
import { type Decision, OK } from './command.ts';

const REFUSED: Decision = { answer: { kind: 'refused', why: 'notGood' } };

/**
 * Keeps a good backup from being deleted until the hold is given back. One that was given back is never taken again: a slow copy of the
 * service that asks for it late would hold the backup for ever.
 */
export function hold(backup: Backup, id: string): Decision {
  return backup.deletion.state === 'None' ? keep(backup, id) : REFUSED;
}

/** The same, also for what lies in the bin, whose files are all there: it stays there for as long as it is held (Z3). */
export function keep(backup: Backup, id: string): Decision {
  const { state, deletion, holds, unheld } = backup;
  const isWhole = state === 'Succeeded' && (deletion.state === 'None' || isTrashed(backup));
  if (!isWhole || unheld?.includes(id)) return REFUSED;
  if (holds.includes(id)) return OK;
  return { answer: { kind: 'ok' }, next: { ...backup, holds: [...holds, id] } };
}

/** Gives a hold back, whatever became of the backup, and whether it was held or not. */
export function unhold(backup: Backup, id: string): Decision {
  const { holds, unheld = [] } = backup;
  if (unheld.includes(id)) return OK;
  return {
    answer: { kind: 'ok' },
    next: { ...backup, holds: holds.filter((other) => other !== id), unheld: [...unheld, id] },
  };
}

/** Holds a good backup because somebody wants it kept; one that is pinned stays as it is. */
export function pin(backup: Backup, id: string): Decision {
  return isPinned(backup) ? OK : keep(backup, id);
}

/** Takes every pin back; other holds stay. */
export function unpin(backup: Backup): Decision {
  if (!isPinned(backup)) return OK;
  return { answer: { kind: 'ok' }, next: { ...backup, holds: backup.holds.filter((id) => !id.startsWith(PIN)) } };
}
