/** The words that the rows of the tables are made of; each takes a document and gives the next one. */
import type { LogBackup, LogEnd, LogGeneration } from '../log-backup.ts';

/** Changes the last generation. */
export function withLast(log: LogBackup, change: Partial<LogGeneration>): LogBackup {
  const last = log.generations.at(-1);
  return last ? { ...log, generations: [...log.generations.slice(0, -1), { ...last, ...change }] } : log;
}

/** The last generation is over, for the first reason that is known. */
export function closed(log: LogBackup, why: LogEnd, now: Date): LogBackup {
  const last = log.generations.at(-1);
  if (!last?.open) return log;
  return withLast(log, { open: false, begun: null, endedWhy: last.endedWhy ?? why, endedAt: now });
}

/** A task may have left a safepoint in the cluster: that is on record before anything is done (L8). */
export function withCleanup(log: LogBackup, taskName: string, now: Date): LogBackup {
  if (log.cleanup.some((item) => item.taskName === taskName)) return log;
  return { ...log, cleanup: [...log.cleanup, { taskName, since: now }] };
}
