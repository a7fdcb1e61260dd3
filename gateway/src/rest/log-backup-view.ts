import {
  type LogAlarm,
  type LogBackup,
  LogState,
  type LogTruncation,
  LogWish,
} from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import { timeOf } from './legacy-states.ts';
import type { LogBackupView } from './operations/log-backups.ts';

const WISHES: Readonly<Record<LogWish, LogBackupView['wanted']>> = {
  [LogWish.UNSPECIFIED]: 'off',
  [LogWish.OFF]: 'off',
  [LogWish.ON]: 'on',
  [LogWish.PAUSED]: 'paused',
};

const STATES: Readonly<Record<LogState, LogBackupView['state']>> = {
  [LogState.UNSPECIFIED]: 'Unknown',
  [LogState.UNKNOWN]: 'Unknown',
  [LogState.OFF]: 'Off',
  [LogState.RUNNING]: 'Running',
  [LogState.LAGGING]: 'Lagging',
  [LogState.PAUSED]: 'Paused',
  [LogState.ERROR]: 'Error',
  [LogState.MISSING]: 'Missing',
  [LogState.FOREIGN]: 'Foreign',
  [LogState.STRAY]: 'Stray',
};

/** What is wanted and what was seen, in words; what a later version may say is not known here. */
export function toStandingView({ wanted, state }: Pick<LogBackup, 'wanted' | 'state'>) {
  return { wanted: WISHES[wanted] ?? 'off', state: STATES[state] ?? 'Unknown' };
}

export function toAlarmView({ name, critical, message }: LogAlarm) {
  return { name, critical, message };
}

/** A log backup as REST shows it. */
export function toLogBackupView(log: LogBackup): LogBackupView {
  const { clusterId, reached, healthy, storageId, retentionDays, lagWarnSeconds, lagCriticalSeconds } = log;
  return {
    clusterId,
    ...toStandingView(log),
    ...{ reached, healthy, storageId, retentionDays, lagWarnSeconds, lagCriticalSeconds },
    wantedBy: log.wantedBy,
    wantedTime: timeOf(log.wantedAt),
    checkpointTso: String(log.checkpointTs),
    checkpointTime: timeOf(log.checkpointTime),
    lagSeconds: log.lagSeconds,
    seenTime: timeOf(log.seenAt),
    errors: log.errors.map(({ store, code, message }) => ({ store, code, message })),
    resumeUntil: timeOf(log.resumeUntil),
    alarms: log.alarms.map(toAlarmView),
    generations: log.generations.map((one) => ({
      number: one.number,
      taskName: one.taskName,
      storageId: one.storageId,
      path: one.path,
      minTso: String(one.minTs),
      maxTso: String(one.maxTs),
      minTime: timeOf(one.minTime),
      maxTime: timeOf(one.maxTime),
      open: one.open,
      endedWhy: one.endedWhy,
      ...(one.truncating && { truncating: toTruncationView(one.truncating) }),
      keepReasons: one.keepReasons,
    })),
    cleanup: log.cleanup.map(({ taskName, message, since }) => ({ taskName, message, since: timeOf(since) })),
    activity: log.activity,
  };
}

function toTruncationView({ until, since, byRetention, activity }: LogTruncation) {
  return { until: timeOf(until), since: timeOf(since), byRetention, activity };
}
