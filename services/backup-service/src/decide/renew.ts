import { renewTask } from '@tidemark/task/task';
import { plus } from '@tidemark/task/time';
import type { Backup, Leftover } from '../backup.ts';
import { type Command, type Decision, type Limits, LOST } from './command.ts';

type Renew = Extract<Command, { kind: 'renew' }>;

/** Keeps the lease, takes the progress down, and lets `br` be started unless a cancel came first. */
export function renew(backup: Backup, command: Renew, now: Date, limits: Limits): Decision {
  const leased = renewTask(backup, command, now, limits);
  if (!leased) return LOST;
  const { starting, progress, removing = [] } = command;
  const held: Backup = {
    ...withEstimate(withWaiting(leased, command, now), command),
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
  const announced = removing.length > 0 ? withAnnounced(next, removing, now) : next;
  return { answer: { kind: 'held', state: backup.state }, next: announced };
}

/** Their files are about to be removed: from now on that they are not there is a removal, as long as the storage is not moved. */
function withAnnounced(backup: Backup, removing: readonly string[], now: Date): Backup {
  const leftovers = backup.leftovers.map((leftover): Leftover => {
    const { untouched: _, ...touched } = leftover;
    return removing.includes(leftover.path) ? { ...touched, announcedAt: now } : leftover;
  });
  return { ...backup, leftovers };
}

function withEstimate(backup: Backup, { estimate }: Renew): Backup {
  return estimate || backup.estimate ? { ...backup, estimate: estimate ?? null } : backup;
}

/** Since when it waits is the first report of it: clocks of workers are not asked. */
function withWaiting(backup: Backup, { stall }: Renew, now: Date): Backup {
  const { waiting } = backup;
  if (!stall) return waiting ? { ...backup, waiting: null } : backup;
  const { code, message, store, forMs } = stall;
  const same = waiting?.code === code && waiting.store === store;
  if (same && waiting.message === message) return backup;
  return { ...backup, waiting: { code, message, store, since: same ? waiting.since : plus(now, -forMs) } };
}
