/** Log backups as messages. */

import {
  LogActKind as ActKindMessage,
  LogActResult as ResultMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  LogBackup as LogBackupMessage,
  type LogGeneration as LogGenerationMessage,
  LogStanding as LogStandingMessage,
  LogState as LogStateMessage,
  type LogTruncation as LogTruncationMessage,
  LogWish as LogWishMessage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { generationsOf } from '../recovery/recovery-state.ts';
import { alarmsOf, isAside, isHealthy, lagMs, whyNotGone } from './alarms.ts';
import {
  instantOf,
  type LogActKind,
  type LogActResult,
  type LogBackup,
  type LogGeneration,
  type LogRemoval,
  type LogState,
  type LogTruncation,
  type LogWish,
  lastGeneration,
  openGeneration,
  resumableUntil,
} from './log-backup.ts';

const WISHES = {
  off: LogWishMessage.LOG_WISH_OFF,
  on: LogWishMessage.LOG_WISH_ON,
  paused: LogWishMessage.LOG_WISH_PAUSED,
} as const satisfies Record<LogWish, LogWishMessage>;

const STATES = {
  Unknown: LogStateMessage.LOG_STATE_UNKNOWN,
  Off: LogStateMessage.LOG_STATE_OFF,
  Running: LogStateMessage.LOG_STATE_RUNNING,
  Lagging: LogStateMessage.LOG_STATE_LAGGING,
  Paused: LogStateMessage.LOG_STATE_PAUSED,
  Error: LogStateMessage.LOG_STATE_ERROR,
  Missing: LogStateMessage.LOG_STATE_MISSING,
  Foreign: LogStateMessage.LOG_STATE_FOREIGN,
  Stray: LogStateMessage.LOG_STATE_STRAY,
} as const satisfies Record<LogState, LogStateMessage>;

const ACTS = {
  start: ActKindMessage.LOG_ACT_KIND_START,
  pause: ActKindMessage.LOG_ACT_KIND_PAUSE,
  resume: ActKindMessage.LOG_ACT_KIND_RESUME,
  stop: ActKindMessage.LOG_ACT_KIND_STOP,
} as const satisfies Record<LogActKind, ActKindMessage>;

const RESULTS: ReadonlyMap<ResultMessage, LogActResult> = new Map([
  [ResultMessage.LOG_ACT_RESULT_OK, 'ok'],
  [ResultMessage.LOG_ACT_RESULT_REFUSED, 'refused'],
  [ResultMessage.LOG_ACT_RESULT_NEW_LOG, 'newLog'],
  [ResultMessage.LOG_ACT_RESULT_UNKNOWN, 'unknown'],
]);

export function toActMessage(kind: LogActKind): ActKindMessage {
  return ACTS[kind];
}

/** How an act ended; what a later version of the worker may say is not known here. */
export function fromResultMessage(result: ResultMessage): LogActResult {
  return RESULTS.get(result) ?? 'unknown';
}

/** The log backup as people see it at a moment. */
export function toLogBackupMessage(log: LogBackup, now: Date): LogBackupMessage {
  const { settings, observed, generations } = log;
  const lag = lagMs(log, now);
  return LogBackupMessage.create({
    clusterId: log._id,
    wanted: WISHES[log.wanted],
    state: STATES[observed.state],
    reached: log.reached,
    healthy: isHealthy(log, now),
    storageId: settings?.storageId ?? '',
    retentionDays: settings?.retentionDays ?? 0,
    lagWarnSeconds: settings?.lagWarnSeconds ?? 0,
    lagCriticalSeconds: settings?.lagCriticalSeconds ?? 0,
    wantedBy: log.wishedBy,
    ...(log.wish > 0 && { wantedAt: log.wishedAt }),
    checkpointTs: BigInt(observed.checkpoint ?? 0),
    ...(observed.checkpoint !== null && { checkpointTime: instantOf(observed.checkpoint) }),
    lagSeconds: (lag ?? 0) / 1_000,
    seenAt: observed.seenAt ?? undefined,
    errors: observed.errors.map((error) => ({ ...error })),
    resumeUntil: resumableUntil(log),
    alarms: alarmsOf(log, now),
    generations: generations.map(toGenerationMessage).reverse(),
    cleanup: log.cleanup.map(({ taskName, since }) => ({ taskName, since, message: leftBehind(taskName) })),
    activity: activityOf(log, now),
    revision: BigInt(log.revision),
  });
}

/** How it stands at a moment, for the fleet; undefined where nothing is to be told. */
export function toStandingMessage(log: LogBackup, now: Date): LogStandingMessage | undefined {
  const spans = generationsOf(log).map(({ min, max }) => ({
    fromTime: instantOf(String(min)),
    toTime: instantOf(String(max)),
  }));
  const alarms = alarmsOf(log, now);
  if (log.wanted === 'off' && spans.length === 0 && alarms.length === 0) return undefined;
  return {
    ...{ clusterId: log._id, wanted: WISHES[log.wanted], state: STATES[log.observed.state], spans },
    healthy: isHealthy(log, now),
    alarms: alarms.filter((alarm) => !isAside(alarm)),
    asides: alarms.filter(isAside),
  };
}

/** Of one whose record is damaged: that is told, lest it look as if none were wanted. */
export function unreadableStanding({ _id: clusterId }: Pick<LogBackup, '_id'>): LogStandingMessage {
  const message =
    'The record of the log backup is damaged, and nothing can be told of it: see the log of backup-service.';
  return LogStandingMessage.create({ clusterId, alarms: [{ name: 'logUnreadable', critical: false, message }] });
}

function toGenerationMessage(generation: LogGeneration): LogGenerationMessage {
  const { n, taskName, storage, path, min, max, open, endedWhy, truncating, removal } = generation;
  return {
    ...{ number: n, taskName, storageId: storage.id, path, open, endedWhy: endedWhy ?? '' },
    minTs: BigInt(min ?? 0),
    maxTs: BigInt(max ?? 0),
    minTime: min === null ? undefined : instantOf(min),
    maxTime: max === null ? undefined : instantOf(max),
    truncating: truncating ? toTruncationMessage(truncating) : removal && toRemovalMessage(removal, generation),
    keepReasons: [],
  };
}

function toTruncationMessage({ until, since, by, task, trouble }: LogTruncation): LogTruncationMessage {
  const waiting = trouble ? `It is tried again. ${trouble.message}` : 'It waits for a worker that reaches the storage.';
  return {
    until: until === null ? undefined : instantOf(until),
    since,
    byRetention: by === 'retention',
    activity: task?.claim === undefined ? waiting : `Worker ${task.worker} is at it.`,
  };
}

function toRemovalMessage({ since }: LogRemoval, generation: LogGeneration): LogTruncationMessage {
  return { until: undefined, since, byRetention: false, activity: whyNotGone(generation) };
}

function leftBehind(taskName: string): string {
  return `Task ${taskName} may have left a safepoint in PD, which keeps the cluster from collecting garbage until its time is over: look with pd-ctl service-gc-safepoint for ${taskName}.`;
}

/** What is done now, or why nothing is. */
function activityOf(log: LogBackup, now: Date): string {
  const { task, refusal, startNotBefore, wanted, observed } = log;
  const act = task?.act;
  if (act) return `${act.kind} of task ${act.taskName}, by worker ${task?.worker ?? 'of nobody'}`;
  if (task?.claim !== undefined) return `the cluster is being looked at by worker ${task.worker}`;
  if (wanted === 'on' && observed.state === 'Off' && startNotBefore && startNotBefore > now)
    return `it is started again at ${startNotBefore.toISOString()}`;
  if (refusal) return `the last ${refusal.kind} did not succeed: ${refusal.reason.message}`;
  const open = openGeneration(log) ?? lastGeneration(log);
  return open && log.reached && wanted === 'on' ? `task ${open.taskName} writes the log` : '';
}
