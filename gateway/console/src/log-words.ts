/** The log backup of a cluster in words, what can be done with one, and the requests that do it. Pure. */
import { type LogBackup, LogState, LogWish } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import { readMoment } from './moment-text.ts';
import { pathOf, type Same } from './shell.ts';
import type { Word } from './words.ts';

const named = (name: string, tone: Word['tone'], text = name): Word => ({ name, text, tone });

export const LOG_STATES: ReadonlyMap<LogState, Word> = new Map<LogState, Word>([
  [LogState.UNKNOWN, named('Unknown', 'warn')],
  [LogState.OFF, named('Off', 'calm')],
  [LogState.RUNNING, named('Running', 'good')],
  [LogState.LAGGING, named('Lagging', 'warn')],
  [LogState.PAUSED, named('Paused', 'warn')],
  [LogState.ERROR, named('Error', 'bad')],
  [LogState.MISSING, named('Missing', 'bad')],
  [LogState.FOREIGN, named('Foreign', 'bad', 'Another task')],
  [LogState.STRAY, named('Stray', 'warn', 'Being stopped')],
]);

export const LOG_WISHES: ReadonlyMap<LogWish, string> = new Map([
  [LogWish.ON, 'on'],
  [LogWish.PAUSED, 'paused'],
]);

/** What to do about an alarm, where its sentence does not say it. */
const ADVICE: Readonly<Record<string, string>> = {
  logStatusUnknown: 'See that its PD answers, and that a worker of its pool is at work.',
  logPauseEnds: 'Resume it. Once the history is gone a new log begins, with a new full backup and a hole before it.',
  logRunsThoughPaused: 'Pause it again, or resume it here, so that what is wanted is what runs.',
  logWaitsForRestore: 'Wait for the restore; where that ended in the middle, resume it or release its target.',
  logStartRefused: 'See to what br says. It is tried again by itself.',
  truncateStuck: 'Look whether a worker reaches the storage, and whether what holds the lock is still there.',
  horizonNotMet: 'Nothing brings that back; it is over once the log is old enough.',
};

export function adviceOn(alarm: string): string | undefined {
  return ADVICE[alarm];
}

const ENDS: Readonly<Record<string, string>> = {
  stopped: 'stopped',
  vanished: 'somebody stopped its task by hand',
  neverStarted: 'never started',
  startLost: 'its start came to nothing',
  replacedByHand: 'somebody put another task in its place',
  historyLost: 'interrupted for longer than the cluster keeps its history',
};

/** Whether a log is still written, or how it ended. */
export function endOf({ open, endedWhy }: { readonly open: boolean; readonly endedWhy: string }): string {
  return open ? 'it is written' : (ENDS[endedWhy] ?? endedWhy);
}

export type LogAct = 'start' | 'settings' | 'pause' | 'resume' | 'truncate' | 'stop';

/** What makes sense now for who may operate; the first one is the most likely. */
export function actsOn({ wanted, state, generations }: LogBackup, isAdmin: boolean): LogAct[] {
  const { ERROR, PAUSED, MISSING } = LogState;
  const isWanted = wanted === LogWish.ON || wanted === LogWish.PAUSED;
  const stands = wanted === LogWish.PAUSED || state === PAUSED || state === ERROR || state === MISSING;
  const isKept = generations.some(({ minTs }) => minTs > 0n);
  return [
    ...(!isWanted && isAdmin ? (['start'] as const) : []),
    ...(isWanted && stands ? (['resume'] as const) : []),
    ...(wanted === LogWish.ON ? (['pause'] as const) : []),
    ...(isWanted && isAdmin ? (['settings'] as const) : []),
    ...(isKept ? (['truncate'] as const) : []),
    ...(isWanted && isAdmin ? (['stop'] as const) : []),
  ];
}

/** A log backup as it is wanted, as people edit it. */
export interface LogForm {
  readonly storageId: string;
  readonly retentionDays: number;
  readonly lagWarnMinutes: number;
  readonly lagCriticalMinutes: number;
}

export function formOf({ storageId, retentionDays, lagWarnSeconds, lagCriticalSeconds }: LogBackup): LogForm {
  return {
    storageId,
    retentionDays: retentionDays || 7,
    lagWarnMinutes: (lagWarnSeconds || 600) / 60,
    lagCriticalMinutes: (lagCriticalSeconds || 1_800) / 60,
  };
}

/** What a save takes, over Connect and REST alike. @param paused it is wanted, and not running */
export function saveOf({ storageId, retentionDays, lagWarnMinutes, lagCriticalMinutes }: LogForm, paused: boolean) {
  return {
    storageId,
    ...(paused && { paused }),
    retentionDays,
    lagWarnSeconds: Math.round(lagWarnMinutes * 60),
    lagCriticalSeconds: Math.round(lagCriticalMinutes * 60),
  };
}

export function sameSave(clusterId: string, form: LogForm, paused: boolean): Same {
  const body = saveOf(form, paused);
  return {
    method: 'PUT',
    path: pathOf(['clusters', clusterId, 'log-backup']),
    body,
    tidemark: [
      ...['log-backup', 'start', clusterId, '--storage', body.storageId],
      ...['--retention-days', String(body.retentionDays)],
      ...['--lag-warn', `${body.lagWarnSeconds}s`, '--lag-critical', `${body.lagCriticalSeconds}s`],
    ],
  };
}

/** What an act is told beside which cluster it is about. */
export interface LogActOptions {
  readonly reason?: string;
  /** Of a truncation: the moment as it was typed; empty: what nobody needs. */
  readonly until?: string;
  readonly acknowledge?: string;
  /** Of a stop: all logs go with their files. */
  readonly removeFiles?: boolean;
}

export function sameAct(act: Exclude<LogAct, 'start' | 'settings'>, clusterId: string, options: LogActOptions): Same {
  const { reason, until, acknowledge, removeFiles } = options;
  const path = pathOf(['clusters', clusterId, 'log-backup']);
  const verb = ['log-backup', act, clusterId];
  if (act === 'stop') {
    const query = new URLSearchParams({ ...(removeFiles && { files: 'remove' }), ...(acknowledge && { acknowledge }) });
    return {
      method: 'DELETE',
      path: query.size === 0 ? path : `${path}?${query}`,
      tidemark: [
        ...verb,
        ...(removeFiles ? ['--remove-files'] : []),
        ...(acknowledge ? ['--acknowledge', acknowledge] : []),
      ],
    };
  }
  return {
    method: 'POST',
    path: `${path}/${act}`,
    body: { ...(until && { until }), ...(acknowledge && { acknowledge }), ...(reason && { reason }) },
    tidemark: [
      ...verb,
      ...(until ? ['--before', until] : []),
      ...(acknowledge ? ['--acknowledge', acknowledge] : []),
      ...(reason ? ['--reason', reason] : []),
    ],
  };
}

/** Why a moment up to which a log is truncated is none; an empty one is no trouble. */
export function troubleOf(until: string): string | undefined {
  if (until.trim() === '') return undefined;
  const read = readMoment(until);
  return 'trouble' in read ? read.trouble : undefined;
}
