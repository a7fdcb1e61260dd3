/** What metrics tell of the log backups of all clusters. */
import { gauge } from '@tidemark/service-kit/metrics';
import { alarmsOf, type LogAlarm, lagMs } from './alarms.ts';
import { type LogBackup, type LogState, type LogWish, resumableUntil } from './log-backup.ts';

const all = gauge(
  'tidemark_log_backups',
  'Log backups that are wanted, by what is wanted and what was last seen in the cluster; each copy shows all.',
  ['wanted', 'state'],
);
const lag = gauge(
  'tidemark_cluster_log_lag_seconds',
  'Since the moment to which the log of a cluster is complete; absent where it is not wanted on, or nobody knows.',
  ['cluster'],
);
const resumable = gauge(
  'tidemark_cluster_log_resumable_seconds',
  'For how long yet a log backup that is paused, or stands still after an error, can certainly go on; 0 when that is over. Absent for others.',
  ['cluster'],
);
const alarms = gauge(
  'tidemark_cluster_log_alarm',
  'Alarms of the log backup of a cluster that stand (1), as GET /clusters/{id}/log-backup names them; no series for others.',
  ['cluster', 'alarm', 'severity'],
);

/** What is told of one. */
export interface ToldLog {
  readonly cluster: string;
  readonly wanted: LogWish;
  readonly state: LogState;
  readonly lagMs: number | undefined;
  readonly resumableMs: number | undefined;
  readonly alarms: readonly Pick<LogAlarm, 'name' | 'critical'>[];
}

/** @throws where a record is damaged */
export function told(log: LogBackup, now: Date): ToldLog {
  const until = log.wanted === 'off' ? undefined : resumableUntil(log);
  return {
    cluster: log._id,
    wanted: log.wanted,
    state: log.observed.state,
    lagMs: log.wanted === 'on' ? lagMs(log, now) : undefined,
    resumableMs: until && Math.max(0, until.getTime() - now.getTime()),
    alarms: alarmsOf(log, now),
  };
}

/** All were looked through; what is not told of any more is gone. */
export function logsCounted(logs: readonly ToldLog[]): void {
  for (const one of [all, lag, resumable, alarms]) one.reset();
  for (const { cluster, wanted, state, lagMs: behindMs, resumableMs, alarms: standing } of logs) {
    if (wanted !== 'off') all.inc({ wanted, state });
    if (behindMs !== undefined) lag.set({ cluster }, behindMs / 1_000);
    if (resumableMs !== undefined) resumable.set({ cluster }, resumableMs / 1_000);
    for (const { name, critical } of standing)
      alarms.set({ cluster, alarm: name, severity: critical ? 'critical' : 'warning' }, 1);
  }
}
