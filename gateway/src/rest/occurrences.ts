import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { type Occurrence, OccurrenceState } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import type { FastifyInstance } from 'fastify';
import { listOccurrences as listSteps } from '../calls/list-occurrences.ts';
import type { CallDependencies } from '../calls/scope.ts';
import { setPage } from '../calls/set-page.ts';
import type { ResponseOf } from '../calls/steps.ts';
import { pageView } from './envelope.ts';
import { QUERY_STRATEGY_FAILED } from './failure-numbers.ts';
import { timeOf } from './legacy-states.ts';
import { listClusterOccurrences, listOccurrences, type OccurrenceView, STATE_NAMES } from './operations/occurrences.ts';
import { type ReadOf, route, type Shown } from './route.ts';
import { parse } from './validate.ts';

const STATES = {
  Pending: OccurrenceState.PENDING,
  Started: OccurrenceState.STARTED,
  Skipped: OccurrenceState.SKIPPED,
  Missed: OccurrenceState.MISSED,
} as const;

/** What became of each window. */
export function occurrenceRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/occurrences',
    operation: listOccurrences,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: (read) => listRequest(read, read.query.clusterId),
    // A cluster that is not there has no windows.
    steps: () => ({ ...listSteps, prepare: setPage }),
    toView: listView,
  });

  route(app, dependencies, {
    method: 'GET',
    path: '/clusters/:clusterId/occurrences',
    operation: listClusterOccurrences,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: (read) => listRequest(read, read.params.clusterId),
    toView: listView,
  });
}

type OfList = Pick<ReadOf<typeof listOccurrences>, 'request'>;

const queryOf = ({ request }: OfList) => parse(listOccurrences.query, request.query);

function listRequest(read: OfList, clusterId: string | undefined) {
  const { state, rule = '', withoutTotal = false, pageToken = '', ...query } = queryOf(read);
  const { page = 1, pageSize = DEFAULT_PAGE_SIZE } = query;
  const states = state === undefined ? [] : [STATES[state]];
  const clusterIds = clusterId === undefined ? [] : [clusterId];
  return { clusterIds, page, pageSize, states, rule, withoutTotal, pageToken };
}

function listView(answer: ResponseOf<'listOccurrences'>, read: OfList): Shown {
  const { page, pageSize = DEFAULT_PAGE_SIZE, pageToken } = queryOf(read);
  return {
    data: { occurrences: answer.occurrences.map(toOccurrenceView) },
    page: pageView(answer, { page, pageSize, pageToken }),
  };
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
