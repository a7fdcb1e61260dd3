import { plus } from '@tidemark/task/time';
import type { Reason } from '../../backup.ts';
import { type LogAct, type LogActResult, type LogBackup, lastGeneration } from '../log-backup.ts';
import { closed, withCleanup, withLast } from './vocabulary.ts';

const MINUTE_MS = 60_000;
/** From a refused start to the next one; the last for ever. */
const START_AFTER_MS = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS] as const;

/** What the end of an act says. An end that nobody knows changes nothing: the next look tells (L5). */
export function ended(
  log: LogBackup,
  act: LogAct,
  result: LogActResult,
  reason: Reason | undefined,
  now: Date,
): LogBackup {
  const told = withRefusal(log, act, result, reason, now);
  const isLast = lastGeneration(log)?.taskName === act.taskName;
  if (!isLast) return told;
  // It may have begun a task; whether or not, the next start is not at once.
  if (result === 'unknown') return act.kind === 'start' ? { ...told, ...afterRefusedStart(log, now) } : told;
  const isSameWish = act.wish === log.wish;
  const reached = isSameWish || log.reached;
  switch (act.kind) {
    case 'start':
      if (result === 'ok')
        return { ...withLast(told, { started: true }), reached, startTries: 0, startNotBefore: null };
      if (result === 'newLog') return closed(told, 'historyLost', now);
      return { ...withLast(told, { begun: null }), ...afterRefusedStart(log, now) };
    case 'resume':
      if (result === 'ok') return { ...told, reached };
      if (result === 'newLog')
        return withCleanup(withLast(told, { dead: true, endedWhy: 'historyLost' }), act.taskName, now);
      return isSameWish ? { ...told, resumeBegun: false } : told;
    case 'pause':
      return result === 'ok' ? { ...told, reached } : told;
    case 'stop':
      return result === 'ok' ? closed(told, 'stopped', now) : told;
  }
}

function afterRefusedStart({ startTries }: LogBackup, now: Date): Pick<LogBackup, 'startTries' | 'startNotBefore'> {
  const afterMs = START_AFTER_MS[Math.min(startTries, START_AFTER_MS.length - 1)] ?? 0;
  return { startTries: startTries + 1, startNotBefore: plus(now, afterMs) };
}

function withRefusal(
  log: LogBackup,
  { kind }: LogAct,
  result: LogActResult,
  reason: Reason | undefined,
  now: Date,
): LogBackup {
  if (result === 'ok') return log.refusal?.kind === kind ? { ...log, refusal: null } : log;
  if (!reason) return log;
  const since = log.refusal?.kind === kind ? log.refusal.since : now;
  return { ...log, refusal: { kind, reason, at: now, since } };
}
