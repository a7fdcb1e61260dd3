/**
 * What is done about what was seen: the table of log-life 3, wanted × observed, with the intent that is written before the act (L5).
 */
import { MAX_FAILED_STARTS } from '@tidemark/limits/limits';
import { plus } from '@tidemark/task/time';
import { type LogActKind, type LogBackup, lastGeneration, openGeneration } from '../log-backup.ts';
import type { LogPlace } from './command.ts';
import { withCleanup, withLast } from './vocabulary.ts';

const MINUTE_MS = 60_000;
/** From an error to the resumes after it (L10). */
const RESUME_AFTER_MS = [5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS] as const;

/** The first row that fits; undefined: nothing is done. */
export function nextAct(log: LogBackup, now: Date): LogActKind | undefined {
  const { wanted, block, reached, observed } = log;
  const { state } = observed;
  if (state === 'Unknown' || state === 'Foreign') return undefined;
  if (state === 'Stray') return 'stop';
  const isThere = state === 'Running' || state === 'Lagging' || state === 'Paused' || state === 'Error';
  const isDead = openGeneration(log)?.dead === true;
  if (isThere && (block !== null || isDead || wanted === 'off')) return 'stop';
  if (block !== null || wanted === 'off') return undefined;
  if (wanted === 'paused') return (state === 'Running' || state === 'Lagging') && !reached ? 'pause' : undefined;
  switch (state) {
    case 'Off':
      return isDue(log.startNotBefore, now) ? 'start' : undefined;
    case 'Paused':
      return reached || log.resumeBegun ? undefined : 'resume';
    case 'Error':
      return mayResume(log, now) ? 'resume' : undefined;
    default:
      return undefined;
  }
}

function isDue(notBefore: Date | null, now: Date): boolean {
  return notBefore === null || notBefore <= now;
}

/** Whether it is still resumed by itself after an error (L10). */
export function hasResumesLeft({ resumeTries }: Pick<LogBackup, 'resumeTries'>): boolean {
  return resumeTries < RESUME_AFTER_MS.length;
}

function mayResume(log: LogBackup, now: Date): boolean {
  return hasResumesLeft(log) && log.resumeNotBefore !== null && log.resumeNotBefore <= now;
}

/** The first error is written down, and when it is tried to go on after it: at once for a person who has just said "go on". */
export function withResumeTime(log: LogBackup, now: Date): LogBackup {
  const { reached, resumeTries, resumeNotBefore, wanted, observed } = log;
  if (wanted !== 'on' || observed.state !== 'Error' || resumeNotBefore !== null) return log;
  const afterMs = !reached && resumeTries === 0 ? 0 : RESUME_AFTER_MS[resumeTries];
  return afterMs === undefined ? log : { ...log, resumeNotBefore: plus(now, afterMs) };
}

/** The document with an act that is about to be done (L5), and the name of its task; undefined where a start has no place. */
export function withIntent(
  log: LogBackup,
  kind: LogActKind,
  seen: { readonly stray?: string; readonly place?: LogPlace },
  now: Date,
): LogBackup | undefined {
  switch (kind) {
    case 'start':
      return withStart(log, seen.place, now);
    case 'pause':
      return acting(log, kind, lastGeneration(log)?.taskName, now);
    case 'resume': {
      const tried: LogBackup =
        log.observed.state === 'Paused'
          ? { ...log, resumeBegun: true }
          : { ...log, resumeTries: log.resumeTries + 1, resumeNotBefore: null };
      return acting(tried, kind, lastGeneration(log)?.taskName, now);
    }
    case 'stop': {
      if (seen.stray !== undefined) return acting(withCleanup(log, seen.stray, now), kind, seen.stray, now);
      const taskName = lastGeneration(log)?.taskName ?? '';
      return acting(withCleanup(withLast(log, { stopping: true }), taskName, now), kind, taskName, now);
    }
  }
}

/** A start whose refusal is known did nothing, so that its name and path may be used again (L3). */
function withStart(log: LogBackup, place: LogPlace | undefined, now: Date): LogBackup | undefined {
  const begun = { wish: log.wish, at: now };
  const open = openGeneration(log);
  if (open && open.begun === null) return acting(withLast(log, { begun }), 'start', open.taskName, now);
  if (!place) return undefined;
  const n = (lastGeneration(log)?.n ?? 0) + 1;
  const generations = [
    ...withoutOldStarts(log.generations),
    {
      ...{ n, ...place, createTime: now, startTs: null, min: null, max: null, open: true, begun, started: false },
      ...{ stopping: false, dead: false, vanished: null, baseId: null, endedWhy: null, endedAt: null },
    },
  ];
  return acting({ ...log, generations }, 'start', place.taskName, now);
}

/** Of starts that came to nothing the last are kept: a task of theirs may still come late. */
function withoutOldStarts(generations: LogBackup['generations']): LogBackup['generations'] {
  const failed = generations.filter(({ startTs }) => startTs === null);
  const old = new Set(failed.slice(0, Math.max(0, failed.length - MAX_FAILED_STARTS)));
  return generations.filter((one) => !old.has(one));
}

function acting(log: LogBackup, kind: LogActKind, taskName = '', now: Date): LogBackup {
  return { ...log, task: log.task && { ...log.task, act: { kind, taskName, wish: log.wish, at: now } } };
}
