import { timestampNow } from '@bufbuild/protobuf/wkt';
import { type ActiveBackup, BackupState, type EndedBackup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import {
  type FleetCount,
  type FleetLog,
  type FleetLogCount,
  FleetLogVerdict,
  type FleetRow,
  FleetVerdict,
  type WatchFleetResponse,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import type { CallDependencies } from '../calls/scope.ts';
import { BEAT, EVENT_STREAM, eventsOf, type ServerSentEvent } from './events.ts';
import { QUERY_STRATEGY_FAILED } from './failure-numbers.ts';
import { timeOf } from './legacy-states.ts';
import { toAlarmView, toStandingView } from './log-backup-view.ts';
import { labelsOf } from './operations/common.ts';
import {
  type FleetRowView,
  LOG_VERDICT_NAMES,
  type LogVerdictName,
  listFleet,
  VERDICT_NAMES,
  type VerdictName,
  watchFleet,
} from './operations/fleet.ts';
import { route } from './route.ts';
import { streamRoute } from './stream.ts';
import { parseQuery } from './validate.ts';

const VERDICTS = {
  never: FleetVerdict.NEVER,
  veryLate: FleetVerdict.VERY_LATE,
  late: FleetVerdict.LATE,
  noPlan: FleetVerdict.NO_PLAN,
  inTime: FleetVerdict.IN_TIME,
} as const satisfies Record<VerdictName, FleetVerdict>;

const LOG_VERDICTS = {
  critical: FleetLogVerdict.CRITICAL,
  warning: FleetLogVerdict.WARNING,
  waiting: FleetLogVerdict.WAITING,
  healthy: FleetLogVerdict.HEALTHY,
  off: FleetLogVerdict.OFF,
} as const satisfies Record<LogVerdictName, FleetLogVerdict>;

/** Whether all clusters are safe. */
export function fleetRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/fleet',
    operation: listFleet,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest({ request }) {
      const query = parseQuery(listFleet.query, request.query);
      const { verdict, log, pageSize = 0, pageToken = '' } = query;
      const verdicts = { verdicts: verdict.map((one) => VERDICTS[one]), logs: log.map((one) => LOG_VERDICTS[one]) };
      return { ...toScope(query), ...verdicts, pageSize, pageToken };
    },
    toView: ({ rows, counts, logCounts, nextPageToken, asOf, cursor, withoutActivity }) => ({
      data: {
        clusters: rows.map((row) => toRowView(row, timeOf(asOf))),
        counts: toCountsView(counts),
        logCounts: toLogCountsView(logCounts),
        asOf: timeOf(asOf),
        ...(nextPageToken !== '' && { pageToken: nextPageToken }),
        ...(cursor !== '' && { cursor }),
        ...(withoutActivity && { withoutActivity }),
      },
    }),
  });
}

/** How the fleet changes, for as long as a client reads on. */
export function fleetStreamRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  streamRoute(app, dependencies, {
    path: '/fleet/watch',
    operation: watchFleet,
    failureNumber: QUERY_STRATEGY_FAILED,
    type: EVENT_STREAM,
    mayBeRefused: true,
    beat: BEAT,
    toRequest({ request }) {
      const query = parseQuery(watchFleet.query, request.query);
      const { 'last-event-id': last } = request.headers;
      const { cursor = typeof last === 'string' ? last : '' } = query;
      return { ...toScope(query), cursor };
    },
    toText: (changes, gone) => eventsOf(changes, toEvent, gone),
  });
}

function toScope({
  clusterId,
  label,
  text = '',
}: Pick<z.infer<typeof watchFleet.query>, 'clusterId' | 'label' | 'text'>) {
  return {
    clusterIds: clusterId,
    labels: labelsOf(label),
    text,
  };
}

function toCountsView(counts: readonly FleetCount[]): Record<VerdictName, number> {
  const countOf = (name: VerdictName) => counts.find(({ verdict }) => verdict === VERDICTS[name])?.count ?? 0;
  return Object.fromEntries(VERDICT_NAMES.map((name) => [name, countOf(name)])) as Record<VerdictName, number>;
}

function toLogCountsView(counts: readonly FleetLogCount[]): Record<LogVerdictName, number> {
  const countOf = (name: LogVerdictName) => counts.find(({ verdict }) => verdict === LOG_VERDICTS[name])?.count ?? 0;
  return Object.fromEntries(LOG_VERDICT_NAMES.map((name) => [name, countOf(name)])) as Record<LogVerdictName, number>;
}

function toEvent({
  restart,
  rows,
  goneClusterIds,
  counts,
  logCounts,
  asOf,
  cursor,
}: WatchFleetResponse): ServerSentEvent {
  const now = timeOf(asOf ?? timestampNow());
  return {
    event: 'fleet',
    ...(cursor !== '' && { id: cursor }),
    data: {
      ...(restart && { restart }),
      clusters: rows.map((row) => toRowView(row, now)),
      goneClusterIds,
      ...(asOf && { counts: toCountsView(counts), logCounts: toLogCountsView(logCounts), asOf: timeOf(asOf) }),
      ...(cursor !== '' && { cursor }),
    },
  };
}

function toRowView(row: FleetRow, asOf: string): FleetRowView {
  const { clusterId, name, labels, registerTime, goodEndTime, recoveryPointTime, verifiedPointTime } = row;
  const endTime = timeOf(goodEndTime);
  return {
    ...{ clusterId, name, labels },
    verdict: VERDICT_NAMES.find((one) => VERDICTS[one] === row.verdict) ?? 'unknown',
    registerTime: timeOf(registerTime),
    ...(goodEndTime && {
      newestGood: {
        endTime,
        ...(recoveryPointTime && { recoveryPointTime: timeOf(recoveryPointTime) }),
        ageSeconds: Math.max(0, (Date.parse(asOf) - Date.parse(endTime)) / 1_000),
      },
    }),
    ...(verifiedPointTime && { verifiedPointTime: timeOf(verifiedPointTime) }),
    ...(row.provenTime && { lastProven: { time: timeOf(row.provenTime), seconds: row.provenSeconds } }),
    ...(row.log && { log: toLogView(row.log) }),
    ...(row.newestPointTime && {
      newestPointTime: timeOf(row.newestPointTime),
      rpoSeconds: Math.max(0, (Date.parse(asOf) - Date.parse(timeOf(row.newestPointTime))) / 1_000),
    }),
    ...(row.intervalSeconds > 0 && { intervalSeconds: row.intervalSeconds }),
    ...(row.nextStartTime && { nextStartTime: timeOf(row.nextStartTime) }),
    ...(row.active && { active: toActiveView(row.active) }),
    ...(row.last && { last: toLastView(row.last) }),
  };
}

function toLogView(log: FleetLog): NonNullable<FleetRowView['log']> {
  return {
    verdict: LOG_VERDICT_NAMES.find((one) => LOG_VERDICTS[one] === log.verdict) ?? 'unknown',
    ...toStandingView(log),
    ...(log.alarm && { alarm: toAlarmView(log.alarm) }),
  };
}

const ACTIVE_STATES = { Queued: BackupState.QUEUED, Running: BackupState.RUNNING, Canceling: BackupState.CANCELING };
const ENDED_STATES = { Succeeded: BackupState.SUCCEEDED, Failed: BackupState.FAILED, Canceled: BackupState.CANCELED };

function nameOf<Name extends string>(states: Readonly<Record<Name, BackupState>>, state: BackupState) {
  return (Object.keys(states) as Name[]).find((name) => states[name] === state);
}

function toActiveView({ backupId, state, startTime, progress, queuePosition }: ActiveBackup) {
  return {
    backupId,
    state: nameOf(ACTIVE_STATES, state) ?? 'Running',
    startTime: timeOf(startTime),
    ...(progress && { step: progress.step, percent: progress.percent }),
    ...(queuePosition > 0 && { queuePosition }),
  };
}

function toLastView({ backupId, state, endTime, reason }: EndedBackup) {
  return {
    backupId,
    state: nameOf(ENDED_STATES, state) ?? 'Failed',
    endTime: timeOf(endTime),
    ...(reason && { code: reason.code, reason: reason.message }),
  };
}
