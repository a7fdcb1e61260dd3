import { type ActiveBackup, BackupState, type EndedBackup } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { type FleetRow, FleetVerdict } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { QUERY_STRATEGY_FAILED } from './failure-numbers.ts';
import { timeOf } from './legacy-states.ts';
import { type FleetRowView, labelName, listFleet, VERDICT_NAMES, type VerdictName } from './operations/fleet.ts';
import { route } from './route.ts';
import { parseQuery } from './validate.ts';

const VERDICTS = {
  never: FleetVerdict.NEVER,
  veryLate: FleetVerdict.VERY_LATE,
  late: FleetVerdict.LATE,
  noPlan: FleetVerdict.NO_PLAN,
  inTime: FleetVerdict.IN_TIME,
} as const satisfies Record<VerdictName, FleetVerdict>;

/** Whether all clusters are safe. */
export function fleetRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/fleet',
    operation: listFleet,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest({ request }) {
      const query = parseQuery(listFleet.query, request.query);
      const { clusterId, verdict, label, text = '', pageSize = 0, pageToken = '' } = query;
      return {
        clusterIds: clusterId,
        labels: Object.fromEntries(label.map((one) => [labelName(one), one.slice(one.indexOf('=') + 1)])),
        verdicts: verdict.map((one) => VERDICTS[one]),
        ...{ text, pageSize, pageToken },
      };
    },
    toView({ rows, counts, nextPageToken, asOf }) {
      const countOf = (name: VerdictName) => counts.find(({ verdict }) => verdict === VERDICTS[name])?.count ?? 0;
      return {
        data: {
          clusters: rows.map((row) => toRowView(row, timeOf(asOf))),
          counts: Object.fromEntries(VERDICT_NAMES.map((name) => [name, countOf(name)])) as Record<VerdictName, number>,
          asOf: timeOf(asOf),
          ...(nextPageToken !== '' && { pageToken: nextPageToken }),
        },
      };
    },
  });
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
    ...(row.intervalSeconds > 0 && { intervalSeconds: row.intervalSeconds }),
    ...(row.nextStartTime && { nextStartTime: timeOf(row.nextStartTime) }),
    ...(row.active && { active: toActiveView(row.active) }),
    ...(row.last && { last: toLastView(row.last) }),
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
