import type { Backup } from '../backup.ts';
import { type Command, type Decision, type Limits, LOST } from './command.ts';
import { isHeldBy, leased } from './vocabulary.ts';

type Renew = Extract<Command, { kind: 'renew' }>;

/** Keeps the lease, takes the progress down, and lets `br` be started unless a cancel came first. */
export function renew(backup: Backup, command: Renew, now: Date, limits: Limits): Decision {
  if (!isHeldBy(backup, command.claim, command.fence)) return LOST;
  const { starting, progress } = command;
  const held: Backup = {
    ...backup,
    task: leased(backup.task, now, limits),
    // A run that goes on where another stopped, or starts anew, begins to count again; what people see does not.
    ...(progress && { progress: { ...progress, percent: Math.max(progress.percent, backup.progress?.percent ?? 0) } }),
  };
  const next: Backup =
    starting && backup.state === 'Running'
      ? {
          ...held,
          task: held.task && { ...held.task, started: true },
          attempts: held.attempts.map((attempt) =>
            attempt.claim === command.claim ? { ...attempt, ...starting } : attempt,
          ),
        }
      : held;
  return { answer: { kind: 'held', state: backup.state }, next };
}
