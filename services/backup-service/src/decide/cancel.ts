import type { Backup, Cancellation } from '../backup.ts';
import { type Command, type Decision, type Limits, OK } from './command.ts';
import { finish } from './vocabulary.ts';

/** Records a cancel; from then on the backup ends as Canceled whatever its worker tells (T12). */
export function cancel(
  backup: Backup,
  { by, reason, requestId }: Extract<Command, { kind: 'cancel' }>,
  now: Date,
  limits: Limits,
): Decision {
  const recorded: Cancellation = { at: now, by, reason, requestId };
  switch (backup.state) {
    case 'Queued':
      return {
        answer: { kind: 'ok' },
        next: finish({ ...backup, cancel: recorded }, 'Canceled', now, null, limits.quietMs),
      };
    case 'Running':
      return {
        answer: { kind: 'ok' },
        next: { ...backup, cancel: recorded, state: 'Canceling' },
        broadcast: true,
      };
    case 'Canceling':
      return { ...OK, broadcast: true };
    default:
      return backup.cancel?.requestId === requestId ? OK : { answer: { kind: 'refused', why: 'over' } };
  }
}
