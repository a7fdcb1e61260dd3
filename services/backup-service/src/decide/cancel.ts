import type { Backup, Cancellation } from '../backup.ts';
import { type Command, type Decision, type Limits, OK } from './command.ts';
import { finishCanceled } from './vocabulary.ts';

/** Records a cancel; from then on the backup ends as Canceled whatever its worker reports (T12). */
export function cancel(
  backup: Backup,
  { by, reason, requestId, code }: Extract<Command, { kind: 'cancel' }>,
  now: Date,
  limits: Limits,
): Decision {
  const recorded: Cancellation = { at: now, by, reason, requestId, ...(code !== undefined && { code }) };
  switch (backup.state) {
    case 'Queued':
      return {
        answer: { kind: 'ok' },
        next: finishCanceled({ ...backup, cancel: recorded }, now, limits.quietMs),
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
