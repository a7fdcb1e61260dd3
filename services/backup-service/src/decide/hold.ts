import { type Backup, isPinned, PIN } from '../backup.ts';
import { type Decision, OK } from './command.ts';

const isHoldable = ({ state, deletion }: Backup) => state === 'Succeeded' && deletion.state === 'None';
const REFUSED: Decision = { answer: { kind: 'refused', why: 'notGood' } };

/** Keeps a good backup from being deleted until the hold is taken back. */
export function hold(backup: Backup, id: string): Decision {
  if (!isHoldable(backup)) return REFUSED;
  if (backup.holds.includes(id)) return OK;
  return { answer: { kind: 'ok' }, next: { ...backup, holds: [...backup.holds, id] } };
}

/** Takes a hold back. */
export function unhold(backup: Backup, id: string): Decision {
  if (!isHoldable(backup)) return REFUSED;
  if (!backup.holds.includes(id)) return OK;
  return { answer: { kind: 'ok' }, next: { ...backup, holds: backup.holds.filter((other) => other !== id) } };
}

/** Holds a good backup because somebody wants it kept; one that is pinned stays as it is. */
export function pin(backup: Backup, id: string): Decision {
  return isPinned(backup) ? OK : hold(backup, id);
}

/** Takes every pin back; other holds stay. */
export function unpin(backup: Backup): Decision {
  if (!isPinned(backup)) return OK;
  return { answer: { kind: 'ok' }, next: { ...backup, holds: backup.holds.filter((id) => !id.startsWith(PIN)) } };
}
