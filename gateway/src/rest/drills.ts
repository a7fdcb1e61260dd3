import {
  type Drill,
  DrillChoice,
  type DrillRun,
  DrillRunState,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/drills.ts';
import { route } from './route.ts';
import { saveOptions } from './save-query.ts';

const CHOICES = {
  newest: DrillChoice.NEWEST,
  random: DrillChoice.RANDOM,
  pointInTime: DrillChoice.POINT_IN_TIME,
} as const;
const STATES = {
  Pending: DrillRunState.PENDING,
  Running: DrillRunState.RUNNING,
  Succeeded: DrillRunState.SUCCEEDED,
  Failed: DrillRunState.FAILED,
  Skipped: DrillRunState.SKIPPED,
  Missed: DrillRunState.MISSED,
} as const;

const DRILL = '/clusters/:clusterId/drill';

/** The drill of a cluster. */
export function drillRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'PUT',
    path: DRILL,
    operation: operations.putDrill,
    fieldNames: { days: 'backupDate' },
    toRequest({ params, query, body }) {
      const { targetClusterId, backupDate = '', period = '', timeZone = '', paused = false, choose, emptyHook } = body;
      return {
        ...saveOptions(query),
        ...{ clusterId: params.clusterId, targetClusterId, days: backupDate, period, timeZone, paused },
        ...(choose && { choose: CHOICES[choose] }),
        ...(emptyHook && { emptyHook: toHook(emptyHook) }),
        withoutEmptyHook: emptyHook === null,
      };
    },
    toView: ({ drill }) => ({ data: { drill: drill && toDrillView(drill) } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: DRILL,
    operation: operations.getDrill,
    toRequest: ({ params }) => ({ clusterId: params.clusterId }),
    toView({ drill, latest, proof }) {
      return {
        data: {
          drill: drill && toDrillView(drill),
          ...(latest && { latest: toRunView(latest) }),
          ...(proof && {
            proof: {
              ...{ time: timeOf(proof.time), seconds: proof.seconds },
              ...{ backupId: proof.backupId, restoreId: proof.restoreId },
              ...(proof.pointTime && { pointTime: timeOf(proof.pointTime) }),
            },
          }),
        },
      };
    },
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: DRILL,
    operation: operations.deleteDrill,
    toRequest: ({ params }) => ({ clusterId: params.clusterId }),
    toView: () => ({ data: {} }),
  });

  route(app, dependencies, {
    method: 'POST',
    path: `${DRILL}/run`,
    operation: operations.runDrill,
    toRequest: ({ params, request }) => ({ clusterId: params.clusterId, key: idempotencyKey(request) }),
    toView: ({ run }) => ({ data: { run: run && toRunView(run) } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: `${DRILL}/runs`,
    operation: operations.listDrillRuns,
    toRequest: ({ params, query: { state, pageSize = 0, pageToken = '' } }) => ({
      clusterId: params.clusterId,
      states: state.map((name) => STATES[name]),
      pageSize,
      pageToken,
    }),
    toView: ({ runs, nextPageToken }) => ({
      data: { runs: runs.map(toRunView), ...(nextPageToken !== '' && { pageToken: nextPageToken }) },
    }),
  });
}

type HookBody = NonNullable<(typeof operations.DrillBody)['_output']['emptyHook']>;

function toHook({ url = '', secrets }: HookBody) {
  return {
    url,
    secrets: {
      source:
        'file' in secrets
          ? ({ case: 'file', value: secrets.file } as const)
          : ({ case: 'envPrefix', value: secrets.envPrefix } as const),
    },
  };
}

const choiceOf = (choose: DrillChoice) =>
  operations.CHOICE_NAMES.find((name) => CHOICES[name] === choose) ?? ('unknown' as const);

function toDrillView(drill: Drill): operations.DrillView {
  const { clusterId, targetClusterId, days, period, timeZone, paused, emptyHook, nextTime } = drill;
  const { case: kind, value } = emptyHook?.secrets?.source ?? {};
  return {
    ...{ clusterId, targetClusterId, backupDate: days.join(','), period, timeZone, paused },
    choose: choiceOf(drill.choose),
    ...(emptyHook && {
      emptyHook: {
        ...(emptyHook.url !== '' && { url: emptyHook.url }),
        secrets: { ...(kind && { [kind]: value }) },
      },
    }),
    ...(nextTime && { nextTime: timeOf(nextTime) }),
    revision: Number(drill.revision),
    updateTime: timeOf(drill.updateTime),
    updatedBy: drill.updatedBy,
  };
}

function toRunView(run: DrillRun): operations.DrillRunView {
  const { id, clusterId, targetClusterId, byHand, backupId, restoreId, seconds, code, reason } = run;
  const { backupTime, pointTime, emptiedTime, startTime, endTime, decidedTime } = run;
  return {
    ...{ id, clusterId, targetClusterId },
    state: operations.RUN_STATE_NAMES.find((name) => STATES[name] === run.state) ?? 'Unknown',
    opensAt: timeOf(run.opensAt),
    closesAt: timeOf(run.closesAt),
    byHand,
    choose: choiceOf(run.choose),
    ...(backupId && { backupId }),
    ...(backupTime && { backupTime: timeOf(backupTime) }),
    ...(pointTime && { pointTime: timeOf(pointTime) }),
    ...(restoreId && { restoreId }),
    ...(emptiedTime && { emptiedTime: timeOf(emptiedTime) }),
    ...(startTime && { startTime: timeOf(startTime) }),
    ...(endTime && { endTime: timeOf(endTime) }),
    seconds,
    ...(code && { code }),
    ...(reason && { reason }),
    ...(decidedTime && { decidedTime: timeOf(decidedTime) }),
  };
}
