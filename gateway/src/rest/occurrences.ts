import { type Occurrence, OccurrenceState } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { authorizeCluster, requireRole, visibleClusters } from '../authorize.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import {
  DEFAULT_PAGE_SIZE,
  listClusterOccurrences,
  listOccurrences,
  type OccurrenceView,
  STATE_NAMES,
} from './operations/occurrences.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { parse } from './validate.ts';

const QUERY_FAILED = 20606;

const STATES = {
  Pending: OccurrenceState.PENDING,
  Started: OccurrenceState.STARTED,
  Skipped: OccurrenceState.SKIPPED,
  Missed: OccurrenceState.MISSED,
} as const;

/** What became of each window. */
export function occurrenceRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const list = async (request: FastifyRequest, clusterIds: string[]) => {
    const { page = 1, pageSize = DEFAULT_PAGE_SIZE, state, rule = '' } = parse(listOccurrences.query, request.query);
    const states = state === undefined ? [] : [STATES[state]];
    const found = await dependencies.backends.occurrences.listOccurrences(
      { clusterIds, page, pageSize, states, rule },
      callOptions(request, dependencies),
    );
    const occurrences = found.occurrences.map(toOccurrenceView);
    return success({ occurrences }, { page, pageSize, total: Number(found.total) });
  };

  app.get('/occurrences', { config: { failureNumber: QUERY_FAILED, operation: listOccurrences } }, async (request) => {
    const { clusterId } = parse(listOccurrences.query, request.query);
    if (clusterId === undefined) requireRole(request.caller, 'listOccurrences');
    else authorizeCluster(request.caller, 'listOccurrences', clusterId);
    return list(request, clusterId === undefined ? visibleClusters(request.caller) : [clusterId]);
  });

  app.get<{ Params: { clusterId: string } }>(
    '/clusters/:clusterId/occurrences',
    { config: { failureNumber: QUERY_FAILED, operation: listClusterOccurrences } },
    async (request) => {
      const { clusterId } = parse(listClusterOccurrences.params, request.params);
      authorizeCluster(request.caller, 'listOccurrences', clusterId);
      await dependencies.backends.registry.getCluster({ id: clusterId }, callOptions(request, dependencies));
      return list(request, [clusterId]);
    },
  );
}

function toOccurrenceView(occurrence: Occurrence): OccurrenceView {
  return {
    id: occurrence.id,
    clusterId: occurrence.clusterId,
    rule: occurrence.rule,
    opensAt: timeOf(occurrence.opensAt),
    closesAt: timeOf(occurrence.closesAt),
    startAt: timeOf(occurrence.startAt),
    state: STATE_NAMES.find((name) => STATES[name] === occurrence.state) ?? 'Unknown',
    ...(occurrence.backupId && { backupId: occurrence.backupId }),
    ...(occurrence.code && { code: occurrence.code }),
    ...(occurrence.reason && { reason: occurrence.reason }),
    windowEnd: occurrence.windowEnd === WindowEnd.STOP ? 'stop' : 'letRun',
    decidedAt: timeOf(occurrence.decidedAt),
  };
}
