/** How the log backup of a cluster stands, as far as the fleet tells of it. Pure. */
import {
  type LogAlarm,
  type LogStanding,
  type LogState,
  LogWish,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';

export const LOG_VERDICTS = ['critical', 'warning', 'waiting', 'healthy', 'off'] as const;
export type LogVerdict = (typeof LOG_VERDICTS)[number];

/** The moments that a log holds. */
interface LogSpan {
  readonly from: Date;
  readonly to: Date;
}

export interface ClusterLog {
  readonly wanted: LogWish;
  readonly state: LogState;
  readonly healthy: boolean;
  /** Of the log that is written, or should be. */
  readonly alarms: readonly LogAlarm[];
  /** That say nothing of that log. */
  readonly asides: readonly LogAlarm[];
  readonly spans: readonly LogSpan[];
  /** When what is told of it last changed, as far as this copy knows. */
  readonly changedAt: Date;
}

/**
 * What was told of it, taken in at a time.
 *
 * @param point of the newest good backup of the cluster
 */
export function toClusterLog(
  { wanted, state, healthy, alarms, asides, spans }: LogStanding,
  {
    before,
    point,
    now,
  }: { readonly before?: ClusterLog | undefined; readonly point?: Date | undefined; readonly now: Date },
): ClusterLog {
  const whole = spans.flatMap(({ fromTime: from, toTime: to }) => (from && to ? [{ from, to }] : []));
  const log = { ...{ wanted, state, healthy, alarms, asides }, spans: whole, changedAt: now };
  return before && toldOfLog(before, point) === toldOfLog(log, point) ? { ...log, changedAt: before.changedAt } : log;
}

/** So far the newest moment moves until it is told anew to those who watch. */
const MOVES_MS = 300_000;

/** What those who watch the fleet are told of, as text: the seconds in a sentence are no news. */
export function toldOfLog(log: ClusterLog | undefined, point: Date | undefined): string {
  const { name, critical } = (log && worstAlarm(log)) ?? {};
  const newest = newestPoint(point, log);
  const moved = newest && Math.floor(+newest / MOVES_MS);
  return JSON.stringify([logVerdictOf(log), log?.wanted, log?.state, name, critical, moved]);
}

export function isWanted({ wanted }: Pick<ClusterLog, 'wanted'>): boolean {
  return wanted === LogWish.LOG_WISH_ON || wanted === LogWish.LOG_WISH_PAUSED;
}

/**
 * `critical` and `warning`: such an alarm of the log that is wanted stands. `waiting`: none does, and it is not seen to run. `off`: none is wanted.
 *
 * @param log undefined where there never was one
 */
export function logVerdictOf(log: ClusterLog | undefined): LogVerdict {
  if (log?.alarms.some(({ critical }) => critical)) return 'critical';
  if (log && log.alarms.length > 0) return 'warning';
  if (!log || !isWanted(log)) return 'off';
  return log.healthy ? 'healthy' : 'waiting';
}

/** A log that stands still lags, whatever is the cause. */
const SYMPTOM = 'logLagging';

/** The worst of the alarms, those of the log that is written before others: critical ones first, and a cause before what comes of it. */
export function worstAlarm({ alarms, asides }: Pick<ClusterLog, 'alarms' | 'asides'>): LogAlarm | undefined {
  const rank = ({ name, critical }: LogAlarm) => (critical ? 0 : 2) + Number(name === SYMPTOM);
  return [...alarms].sort((one, other) => rank(one) - rank(other))[0] ?? asides[0];
}

/**
 * The newest moment to which a cluster can be brought back.
 *
 * @param point that of its newest good backup, without which no log can be replayed: a log that does not hold it is older, or has no base
 */
export function newestPoint(point: Date | undefined, log: ClusterLog | undefined): Date | undefined {
  if (!point) return undefined;
  const ends = (log?.spans ?? []).filter(({ from, to }) => from <= point && point <= to).map(({ to }) => +to);
  return new Date(Math.max(+point, ...ends));
}
