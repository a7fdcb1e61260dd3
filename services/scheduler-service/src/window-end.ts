/**
 * Stops backups whose rule says so when their window closes.
 *
 * E1. What is to be stopped stands on the occurrence from the moment that its backup is known, so any copy does it,
 *     however late; a cancel is recorded once, and a backup that is over needs none.
 */
import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import type { Occurrence } from './catch-up.ts';
import { CALLER, type DueLoopDependencies } from './due-loop.ts';
import { windowClosedOn } from './events.ts';
import { endLog } from './logger.ts';

const BATCH = 100;

/** Starts looking for windows that closed on a running backup. */
export function startWindowEndLoop(dependencies: DueLoopDependencies): Loop {
  const { store, now, pollMs } = dependencies;
  const { closedWindows } = dependencies.quarantines;
  return startLoop({
    name: 'window-end-loop',
    everyMs: pollMs,
    log: endLog,
    async run(signal) {
      const closed = await store.findToStop(now(), BATCH + closedWindows.size, signal);
      let stopped = 0;
      for (const occurrence of closed)
        if (await closedWindows.attempt(occurrence._id, () => stop(occurrence, dependencies, signal), signal))
          stopped += 1;
      return stopped >= BATCH;
    },
  });
}

async function stop(
  occurrence: Occurrence,
  { store, backends }: DueLoopDependencies,
  signal: AbortSignal,
): Promise<boolean> {
  const { _id, clusterId, backupId, rule, closesAt } = occurrence;
  const requestId = randomUUID();
  try {
    const reason = `The window of rule ${rule} closed at ${closesAt.toISOString()}.`;
    await backends.backups.cancelBackup(
      { id: backupId ?? '', clusterId, reason, reasonCode: 'WINDOW_CLOSED' },
      { signal, requestId, caller: CALLER },
    );
    windowClosedOn(occurrence, requestId);
  } catch (error) {
    signal.throwIfAborted();
    const over = error instanceof AppError && (error.code === 'backup_over' || error.code === 'backup_not_found');
    if (!over) {
      if (!(error instanceof AppError) || error.code === 'internal') throw error;
      endLog.warn({ error, occurrenceId: _id, requestId }, 'a backup could not be stopped; tried again');
      return false;
    }
  }
  await store.stopped(_id);
  return true;
}
