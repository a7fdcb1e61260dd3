import { type Occurrence, OccurrenceState } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { authorizeCluster, requireRole, visibleClusters } from '../authorize.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { Id, leftOut, parse, wholeNumber } from './validate.ts';

const QUERY_FAILED = 20606;
const DEFAULT_PAGE_SIZE = 10;

const STATES = {
  Pending: OccurrenceState.PENDING,
  Started: OccurrenceState.STARTED,
  Skipped: OccurrenceState.SKIPPED,
  Missed: OccurrenceState.MISSED,
} as const;
const STATE_NAMES = Object.keys(STATES) as (keyof typeof STATES)[];
const Query = z.object({
  page: leftOut(wholeNumber(1, 1_000_000_000)),
  pageSize: leftOut(wholeNumber(1, 1_000)),
  state: leftOut(z.enum(STATE_NAMES, `must be one of ${STATE_NAMES.join(', ')}`)),
  rule: leftOut(Id),
  clusterId: leftOut(Id),
});

/** What became of each window. */
export function occurrenceRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const list = async (request: FastifyRequest, clusterIds: string[]) => {
    const { page = 1, pageSize = DEFAULT_PAGE_SIZE, state, rule = '' } = parse(Query, request.query);
    const states = state === undefined ? [] : [STATES[state]];
    const found = await dependencies.backends.occurrences.listOccurrences(
      { clusterIds, page, pageSize, states, rule },
      callOptions(request, dependencies),
    );
    const occurrences = found.occurrences.map(toOccurrenceView);
    return success({ occurrences }, { page, pageSize, total: Number(found.total) });
  };
  const options = { config: { failureNumber: QUERY_FAILED } };

  app.get('/occurrences', options, async (request) => {
    const { clusterId } = parse(Query, request.query);
    if (clusterId === undefined) requireRole(request.caller, 'listOccurrences');
    else authorizeCluster(request.caller, 'listOccurrences', clusterId);
    return list(request, clusterId === undefined ? visibleClusters(request.caller) : [clusterId]);
  });

  app.get<{ Params: { clusterId: string } }>('/clusters/:clusterId/occurrences', options, async (request) => {
    const { clusterId } = parse(z.object({ clusterId: Id }), request.params);
    authorizeCluster(request.caller, 'listOccurrences', clusterId);
    await dependencies.backends.registry.getCluster({ id: clusterId }, callOptions(request, dependencies));
    return list(request, [clusterId]);
  });
}

function toOccurrenceView(occurrence: Occurrence): object {
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
