import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_PAGE_SIZE, MAX_QUOTED_NAME, MAX_VIOLATIONS } from '@tidemark/limits/limits';
import type { Restore } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import type { FastifyInstance } from 'fastify';
import { requireRestore } from '../calls/find-restore.ts';
import type { CallDependencies } from '../calls/scope.ts';
import { logText, PLAIN_TEXT } from './attempt-log.ts';
import { BEAT, EVENT_STREAM, eventsOf, type ServerSentEvent } from './events.ts';
import { CREATE_FAILED, QUERY_FAILED } from './failure-numbers.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { timeOf } from './legacy-states.ts';
import { listRecoveryPoints } from './operations/recovery-points.ts';
import { PointInTime, planRestore, restoreCluster, startRestore } from './operations/restore-starts.ts';
import * as operations from './operations/restores.ts';
import { STATES, toHoleView, toPlanView, toPointView, toRangeView, toRestoreView } from './restore-view.ts';
import { type ReadOf, route, type Shown } from './route.ts';
import { streamRoute } from './stream.ts';
import { bodyObject } from './validate.ts';

/** What the body calls the point in time of a call. */
const OF_A_POINT = { point: 'source' } as const;

/** Restores: what one would do, its start, how it goes, and what people do about one that ended in the middle. */
export function restoreRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'POST',
    path: '/restores/plan',
    operation: planRestore,
    fieldNames: OF_A_POINT,
    failureNumber: QUERY_FAILED,
    toRequest(read) {
      refuseUnknown(read.request.body);
      return wishOf(read);
    },
    toView: ({ plan }) => ({ data: { ...(plan && { plan: toPlanView(plan) }) } }),
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/restores',
    operation: startRestore,
    fieldNames: OF_A_POINT,
    failureNumber: CREATE_FAILED,
    toRequest(read) {
      refuseUnknown(read.request.body);
      return startOf(read);
    },
    toView(answer) {
      const { data } = restoreView(answer);
      const { id } = requireRestore(answer.restore);
      return { data: { restoreId: id, workFlowId: id, ...data } };
    },
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/clusters/restore',
    operation: restoreCluster,
    fieldNames: OF_A_POINT,
    failureNumber: QUERY_FAILED,
    toRequest(read) {
      requireTarget(read.request.body);
      return startOf(read);
    },
    toView({ restore }) {
      const { id, target } = requireRestore(restore);
      return { data: { workFlowId: id, clusterID: target?.clusterId ?? '', restoreId: id } };
    },
  });
  route(app, dependencies, {
    method: 'GET',
    path: '/restores',
    operation: operations.listRestores,
    failureNumber: QUERY_FAILED,
    toRequest({ query }) {
      const { targetClusterId, sourceClusterId = '', backupId = '', state, pageToken = '' } = query;
      const { pageSize = DEFAULT_PAGE_SIZE } = query;
      const clusterIds = targetClusterId === undefined ? [] : [targetClusterId];
      const states = state === undefined ? [] : [STATES[state]];
      return { clusterIds, sourceClusterId, backupId, states, pageSize, pageToken };
    },
    toView: ({ restores, nextPageToken }) => ({
      data: { restores: restores.map(toRestoreView), ...(nextPageToken !== '' && { pageToken: nextPageToken }) },
    }),
  });
  route(app, dependencies, {
    method: 'GET',
    path: '/clusters/:clusterId/recovery-points',
    operation: listRecoveryPoints,
    failureNumber: QUERY_FAILED,
    toRequest: ({ params, query: { pageSize = DEFAULT_PAGE_SIZE, pageToken = '' } }) => ({
      clusterId: params.clusterId,
      pageSize,
      pageToken,
    }),
    toView: ({ points, nextPageToken, newest, newestVerified, rpoSeconds, estimatedSeconds, ...rest }) => ({
      data: {
        snapshots: points.map(toPointView),
        ranges: rest.ranges.map(toRangeView),
        holes: rest.holes.map(toHoleView),
        newestTime: timeOf(rest.newestTime),
        ...(nextPageToken !== '' && { pageToken: nextPageToken }),
        ...(newest && {
          newest: toPointView(newest),
          rpoSeconds,
          estimate: { snapshotSeconds: estimatedSeconds },
        }),
        ...(newestVerified && { newestVerified: toPointView(newestVerified) }),
        ...(rest.worstRpoSeconds !== undefined && { worstRpoSeconds: rest.worstRpoSeconds }),
      },
    }),
  });
  route(app, dependencies, {
    method: 'GET',
    path: '/restores/:restoreId',
    operation: operations.getRestore,
    failureNumber: QUERY_FAILED,
    toRequest: ({ params }) => ({ id: params.restoreId }),
    toView: restoreView,
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/restores/:restoreId/cancel',
    operation: operations.cancelRestore,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params, body: { reason = '' } }) => ({ id: params.restoreId, reason }),
    toView: restoreView,
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/restores/:restoreId/resume',
    operation: operations.resumeRestore,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params, body: { hostDead = false } }) => ({ id: params.restoreId, hostDead }),
    toView: restoreView,
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/restores/:restoreId/release',
    operation: operations.releaseRestore,
    failureNumber: CREATE_FAILED,
    toRequest({ params, body }) {
      const { targetCleaned, note = '', hostDead = false } = body;
      return { id: params.restoreId, targetCleaned, note, hostDead };
    },
    toView: restoreView,
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/restores/:restoreId/cleaned',
    operation: operations.confirmCleaned,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params }) => ({ id: params.restoreId }),
    toView: restoreView,
  });
}

/** How a restore goes, and what its `br` printed, for as long as a client reads on. */
export function restoreStreamRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  streamRoute(app, dependencies, {
    path: '/restores/:restoreId/events',
    operation: operations.watchRestore,
    failureNumber: QUERY_FAILED,
    type: EVENT_STREAM,
    beat: BEAT,
    toRequest: ({ params }) => ({ id: params.restoreId }),
    toText: (changes, gone) => eventsOf(changes, eventOf, gone),
  });
  streamRoute(app, dependencies, {
    path: '/restores/:restoreId/log',
    operation: operations.readRestoreLog,
    failureNumber: QUERY_FAILED,
    type: PLAIN_TEXT,
    toRequest: ({ params, query: { attempt = 0, follow = false } }) => ({ id: params.restoreId, attempt, follow }),
    toText: logText,
  });
}

const eventOf = ({ restore }: { readonly restore?: Restore | undefined }): ServerSentEvent | undefined =>
  restore && { event: 'restore', id: restore.revision, data: toRestoreView(restore) };

const PART = 'is not taken: name what is restored with "filter", such as ["shop.orders"] or ["shop.*"]';
const POINT = 'is not taken here: it belongs into "source", beside the "clusterId" whose data are restored';
/** What others take in the body of a restore, and what to do instead: without it the whole would be restored all the same. */
const NOT_TAKEN = {
  ...{ db: PART, table: PART, tables: PART, filters: PART, pointInTime: POINT, tso: POINT },
  dryRun: 'is not taken: POST /restores/plan is what changes nothing',
} as const;
const ONE_SOURCE =
  'must be a point in time, {"clusterId", "pointInTime"} or {"clusterId", "tso"}; a backup is named as "backupId", and one that has no record gets it back by POST /storages/{storageId}/rebuild';

/** A client that has a new cluster made names none: it is told what to do instead, before anything else is wrong. */
function requireTarget(body: unknown): void {
  const { targetClusterId } = bodyObject(body);
  if (targetClusterId !== undefined && targetClusterId !== null && targetClusterId !== '') return;
  const description = 'must be the id of the registered cluster that is restored into';
  throw new AppError(
    'invalid_argument',
    'Tidemark does not create clusters: register the new cluster, then POST /restores',
    { fields: [{ field: 'targetClusterId', description }] },
  );
}

function startOf(read: ReadOf<typeof startRestore>) {
  const wish = wishOf(read);
  const { planHash = '', confirm = '', acknowledge = [] } = read.body;
  return { ...wish, planHash, confirm, acknowledge, key: idempotencyKey(read.request) };
}

function refuseNotTaken(body: unknown): void {
  const given = bodyObject(body);
  const violations = Object.entries(NOT_TAKEN)
    .filter(([field]) => isGiven(given[field]))
    .map(([field, description]) => ({ field, description }));
  // Of any other form a client means something else than a point in time, such as a path.
  if (isGiven(given.source) && !isPoint(given.source)) violations.push({ field: 'source', description: ONE_SOURCE });
  if (violations.length > 0) throw invalidArgument(violations);
}

function isPoint(source: unknown): boolean {
  if (typeof source !== 'object' || source === null) return false;
  const known = Object.keys(PointInTime.shape);
  return Object.entries(source).every(([field, value]) => known.includes(field) || !isGiven(value));
}

/** A misspelt filter would restore the whole. The client that TiUniManager documents sends more, which is passed over. */
function refuseUnknown(body: unknown): void {
  const known = [...Object.keys(startRestore.body.shape), ...Object.keys(NOT_TAKEN)];
  const unknown = Object.entries(bodyObject(body)).filter(([field, value]) => !known.includes(field) && isGiven(value));
  if (unknown.length === 0) return;
  const description = `is not known: a restore has ${Object.keys(startRestore.body.shape).join(', ')}`;
  throw invalidArgument(
    unknown.slice(0, MAX_VIOLATIONS).map(([field]) => ({ field: field.slice(0, MAX_QUOTED_NAME), description })),
  );
}

/** Generated clients send what they leave out as nothing. */
function isGiven(value: unknown): boolean {
  const isEmptyList = Array.isArray(value) && value.length === 0;
  return value !== undefined && value !== null && value !== '' && value !== false && !isEmptyList;
}

function wishOf(read: ReadOf<typeof planRestore>) {
  refuseNotTaken(read.request.body);
  const { body } = read;
  const { targetClusterId, rateLimit = 0, placementPolicies = '', brOptions = {} } = body;
  const { withSystemTables = false, loadStats = true, waitTiFlashReady = false, filter = [] } = body;
  return {
    ...sourceOf(body),
    targetClusterId,
    options: {
      rateLimit,
      placementPolicies,
      withSystemTables,
      withoutStats: !loadStats,
      waitTiflashReady: waitTiFlashReady,
      filter,
      extra: brOptions,
    },
  };
}

/** @throws AppError `invalid_argument` where it is not one backup, or one moment */
function sourceOf({ backupId = '', source }: ReadOf<typeof planRestore>['body']) {
  if (backupId === '' && !source)
    throw invalidArgument([
      { field: 'backupId', description: 'must be set; or "source", where a point in time is restored' },
    ]);
  if (backupId !== '' && source)
    throw invalidArgument([{ field: 'source', description: 'must be left out where "backupId" names a backup' }]);
  if (!source) return { backupId };
  const { clusterId, pointInTime, tso } = source;
  if ((pointInTime === undefined) === (tso === undefined))
    throw invalidArgument([{ field: 'source', description: 'must have either "pointInTime" or "tso"' }]);
  return {
    point: {
      clusterId,
      ...(pointInTime !== undefined && { time: timestampFromDate(new Date(pointInTime)) }),
      ...(tso !== undefined && { ts: BigInt(tso) }),
    },
  };
}

function restoreView({ restore }: { readonly restore?: Restore | undefined }): Shown {
  return { data: { restore: toRestoreView(requireRestore(restore)) } };
}
