import { newTask, requeued } from '@tidemark/task/task';
import type { LogBackup } from '../log-backup.ts';
import { type LogCommand, type LogDecision, OK } from './command.ts';

type Want = Extract<LogCommand, { kind: 'want' }>;

/** Writes a wish down, also the same again: that is how a person says "go on" (L6). The cluster is looked at at once. */
export function want(
  log: LogBackup,
  { wanted, settings = log.settings ?? undefined, by, requestId, callId }: Want,
  now: Date,
): LogDecision {
  if (log.wish > 0 && log.callId === callId) return OK;
  if (!settings && wanted !== 'off') return { answer: { kind: 'refused', why: 'neverSet' } };
  return {
    ...OK,
    next: {
      ...log,
      wanted,
      wish: log.wish + 1,
      wishedBy: by,
      wishedAt: now,
      requestId,
      callId,
      settings: settings ?? null,
      reached: false,
      resumeBegun: false,
      manual: false,
      resumeTries: 0,
      resumeNotBefore: null,
      startTries: 0,
      startNotBefore: null,
      task: lookedAtAtOnce(log, now),
    },
  };
}

/** A look that is under way comes to its end first: it rings again then. */
function lookedAtAtOnce({ task }: LogBackup, now: Date): LogBackup['task'] {
  if (!task) return newTask(now);
  return task.claim === undefined ? requeued(task, now) : task;
}
