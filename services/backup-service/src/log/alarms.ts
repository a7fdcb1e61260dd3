/** What a person should know about a log backup: functions of the document and the time, so that none is an event that can be lost. */
import { later, plus } from '@tidemark/task/time';
import { hasResumesLeft } from './decide/act.ts';
import {
  instantOf,
  type LogBackup,
  type LogGeneration,
  openGeneration,
  resumableUntil,
  servedFrom,
} from './log-backup.ts';

export type LogAlarmName =
  | 'logLagging'
  | 'logStatusUnknown'
  | 'logPausedByHand'
  | 'logPauseEnds'
  | 'logError'
  | 'logMissing'
  | 'logForeign'
  | 'logRunsThoughPaused'
  | 'logWaitsForRestore'
  | 'logStartRefused'
  | 'logNoBase'
  | 'logSafepoints'
  | 'truncateStuck'
  | 'horizonNotMet';

export interface LogAlarm {
  readonly name: LogAlarmName;
  readonly critical: boolean;
  /** A sentence. */
  readonly message: string;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** An answer that is older says nothing of now. */
const OLD_ANSWER_MS = 5 * MINUTE_MS;
const SOON_MS = 4 * HOUR_MS;
/** What a worker says of a log that another `br log truncate` has, or had. */
const LOCKED = 'TRUNCATE_LOCKED';

type Rule = (log: LogBackup, now: Date) => LogAlarm | undefined;

const since = (at: Date | null) => at?.toISOString() ?? 'never';
const isOlder = (at: Date | null, ms: number, now: Date) => at === null || plus(at, ms) < now;

/** How long ago the moment is to which the log is complete; undefined where nobody knows. */
export function lagMs({ observed: { checkpoint } }: Pick<LogBackup, 'observed'>, now: Date): number | undefined {
  return checkpoint === null ? undefined : Math.max(0, now.getTime() - instantOf(checkpoint).getTime());
}

const RULES: readonly Rule[] = [
  (log, now) => {
    const lag = lagMs(log, now);
    const { wanted, settings, observed } = log;
    if (wanted !== 'on' || !settings || lag === undefined || lag <= settings.lagWarnSeconds * 1_000) return undefined;
    return {
      name: 'logLagging',
      critical: lag > settings.lagCriticalSeconds * 1_000,
      message: `The log is complete up to ${instantOf(observed.checkpoint ?? '0').toISOString()} and no further (${Math.round(lag / 1_000)} s ago), whatever its status says: look at the TiDB owner and the TiKV stores.`,
    };
  },
  ({ wanted, wishedAt, settings, observed }, now) => {
    const asked = observed.seenAt ?? wishedAt;
    if (wanted === 'off' || !isOlder(asked, OLD_ANSWER_MS, now)) return undefined;
    const why = observed.unreachable ? ` ${observed.unreachable.message}` : ' No worker of its pool looked.';
    return {
      name: 'logStatusUnknown',
      critical: isOlder(asked, (settings?.lagCriticalSeconds ?? 0) * 1_000, now),
      message: `The cluster has not said how its log backup is since ${since(observed.seenAt)}.${why}`,
    };
  },
  (log, now) => {
    const { wanted, reached, resumeBegun, observed } = log;
    if (wanted !== 'on' || observed.state !== 'Paused' || !(reached || resumeBegun)) return undefined;
    const until = resumableUntil(log);
    const limit = until ? ` Its history is certainly kept until ${until.toISOString()}.` : '';
    return {
      name: 'logPausedByHand',
      critical: isOlder(observed.ranAt, 12 * HOUR_MS, now) || (until !== undefined && plus(until, -SOON_MS) < now),
      message: `Somebody paused the log backup, and Tidemark leaves it so: resume it.${limit}`,
    };
  },
  (log, now) => {
    const until = log.wanted === 'paused' ? resumableUntil(log) : undefined;
    if (!until || plus(until, -SOON_MS) >= now) return undefined;
    const isOver = until < now;
    return {
      name: 'logPauseEnds',
      critical: isOver,
      message: isOver
        ? `The log backup has been paused for so long that history is being lost since ${until.toISOString()}.`
        : `The log backup is paused, and the cluster keeps the history that a resume needs until ${until.toISOString()}.`,
    };
  },
  (log) => {
    const { wanted, observed, generations, task } = log;
    if (wanted === 'off' || observed.state !== 'Error' || generations.at(-1)?.dead) return undefined;
    const [first] = observed.errors;
    return {
      name: 'logError',
      critical: wanted === 'on' && !hasResumesLeft(log) && task?.act === undefined,
      message: `TiKV cannot write the log${first ? `: ${first.message}` : ''}. ${afterError(log)}`,
    };
  },
  ({ wanted, observed }) =>
    wanted !== 'off' && observed.state === 'Missing'
      ? {
          name: 'logMissing',
          critical: true,
          message:
            'The log backup task is gone, and nobody asked Tidemark to stop it: resume it, and a new log begins with a new full backup.',
        }
      : undefined,
  ({ wanted, observed: { state, foreign } }) =>
    wanted !== 'off' && state === 'Foreign' && foreign
      ? {
          name: 'logForeign',
          critical: true,
          message: `Another log backup task, ${foreign.name}, writes the log of this cluster to ${foreign.storage}. A cluster has only one, and Tidemark never touches those of others: stop it (br log stop --task-name ${foreign.name}).`,
        }
      : undefined,
  ({ wanted, reached, observed: { state } }) =>
    wanted === 'paused' && reached && (state === 'Running' || state === 'Lagging')
      ? {
          name: 'logRunsThoughPaused',
          critical: false,
          message: 'The log backup is to be paused, and somebody resumed it; Tidemark leaves it so.',
        }
      : undefined,
  ({ wanted, wishedAt, block }, now) =>
    wanted === 'on' && block !== null
      ? {
          name: 'logWaitsForRestore',
          critical: isOlder(wishedAt, HOUR_MS, now),
          message: `Restore ${block} has the cluster; the log backup begins when that is over.`,
        }
      : undefined,
  ({ wanted, observed, refusal }, now) =>
    wanted !== 'off' && observed.state === 'Off' && refusal?.kind === 'start'
      ? {
          name: 'logStartRefused',
          critical: isOlder(refusal.since, HOUR_MS, now),
          message: `The log backup could not be started. ${refusal.reason.message}`,
        }
      : undefined,
  (log, now) => {
    const open = openGeneration(log);
    if (log.wanted === 'off' || !open?.startTs || open.baseId !== null) return undefined;
    const from = instantOf(String(servedFrom({ ...open, min: open.startTs })));
    const lackedAt = open.baseLostAt ? later(from, open.baseLostAt) : from;
    if (!isOlder(lackedAt, HOUR_MS, now)) return undefined;
    return {
      name: 'logNoBase',
      critical: isOlder(lackedAt, DAY_MS, now),
      message: `There is no good full backup since the log began, or was cut (${from.toISOString()}), and without one nothing can be restored from it: back the cluster up.`,
    };
  },
  ({ cleanup }) =>
    cleanup.length > 0
      ? {
          name: 'logSafepoints',
          critical: false,
          message: `Tasks that are over (${cleanup.map(({ taskName }) => taskName).join(', ')}) may have left safepoints in PD that keep the cluster from collecting garbage: look with pd-ctl service-gc-safepoint.`,
        }
      : undefined,
  ({ generations }, now) => {
    for (const generation of generations) {
      const { taskName, truncating, removal } = generation;
      const begun = truncating ?? removal;
      if (!begun || !(truncating?.trouble?.code === LOCKED || isOlder(begun.since, DAY_MS, now))) continue;
      const why = truncating
        ? (truncating.trouble?.message ?? 'No worker that reaches its storage has taken it up.')
        : whyNotGone(generation);
      return {
        name: 'truncateStuck',
        critical: false,
        message: `What no point needs any more is still in the log of task ${taskName}, since ${since(begun.since)}. ${why}`,
      };
    }
    return undefined;
  },
  ({ wanted, settings, generations }, now) => {
    const open = generations.at(-1);
    if (wanted === 'off' || !settings || !open?.open || open.min === null) return undefined;
    const horizon = plus(now, -settings.retentionDays * DAY_MS);
    const before = generations.slice(generations.findLastIndex(isMeantToEnd) + 1, -1);
    const isOldEnough = before.some(({ startTs }) => startTs !== null && instantOf(startTs) < horizon);
    if (!isOldEnough || instantOf(open.min) <= horizon) return undefined;
    return {
      name: 'horizonNotMet',
      critical: false,
      message: `Every second of the last ${settings.retentionDays} days is to stay restorable, but the log was interrupted, and without a hole it begins at ${instantOf(open.min).toISOString()}: recovery-points says what is missing and why.`,
    };
  },
];

/** Why a log that a person wants gone is not being removed yet. */
export function whyNotGone({ taskName, open, holds: [restoreId] = [] }: LogGeneration): string {
  if (open) return `It goes once task ${taskName} is seen to be stopped.`;
  return restoreId === undefined
    ? 'It goes within a minute.'
    : `Restore ${restoreId} reads it: it goes after the end of that.`;
}

/** No second after it was promised. */
const isMeantToEnd = ({ endedWhy }: LogGeneration) => endedWhy === 'stopped' || endedWhy === 'neverStarted';

/** All that stand now, in the order of the table of log-life 8. */
export function alarmsOf(log: LogBackup, now: Date): LogAlarm[] {
  return RULES.map((rule) => rule(log, now)).filter((alarm) => alarm !== undefined);
}

/** These say nothing of the log that is written. */
const ASIDE: readonly LogAlarmName[] = ['logSafepoints', 'truncateStuck', 'horizonNotMet'];

export function isAside({ name }: Pick<LogAlarm, 'name'>): boolean {
  return ASIDE.includes(name);
}

/** L9: on, running, its checkpoint and what lies in the storage young enough now, and no alarm but what earlier tasks left. */
export function isHealthy(log: LogBackup, now: Date): boolean {
  const { wanted, observed } = log;
  const alarms = alarmsOf(log, now).filter((alarm) => !isAside(alarm));
  return wanted === 'on' && observed.state === 'Running' && alarms.length === 0;
}

function afterError(log: LogBackup): string {
  const { wanted, resumeTries, resumeNotBefore, task } = log;
  if (wanted === 'paused') return 'It stays so, since it is to be paused.';
  if (resumeNotBefore) return `It is resumed at ${resumeNotBefore.toISOString()}, for the ${resumeTries + 1}. time.`;
  return hasResumesLeft(log) || task?.act
    ? 'It is being resumed.'
    : 'It is not resumed by itself any more: see to the cause, and resume it.';
}
