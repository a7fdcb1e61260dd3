import type {
  PlannedStart,
  PreviewStrategyResponse,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { askedAhead } from '@tidemark/service-kit/abort';
import type { FastifyInstance } from 'fastify';
import { DEFAULT_RULE } from '../calls/find-rule.ts';
import { leftOut } from '../calls/left-out.ts';
import { type CallDependencies, extraCallOptions, type RequestScope } from '../calls/scope.ts';
import type { RequestOf } from '../calls/steps.ts';
import { QUERY_STRATEGY_FAILED } from './failure-numbers.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/strategies.ts';
import { type ReadOf, route } from './route.ts';
import { parseRule } from './strategy-body.ts';
import { toLegacyStrategy } from './strategy-view.ts';
import { bodyObject, parse } from './validate.ts';

/** What a saved or a proposed strategy will do. */
export function strategyPreviewRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'POST',
    path: '/clusters/:clusterId/strategy/preview',
    operation: operations.previewStrategy,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: (read) => previewRequest(read, DEFAULT_RULE),
    toView: (found, { params }) => ({ data: toPreviewView(found, params.clusterId) }),
  });
  route(app, dependencies, {
    method: 'POST',
    path: '/clusters/:clusterId/strategies/:rule/preview',
    operation: operations.previewRule,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: (read) => previewRequest(read, read.params.rule),
    toView: (found, { params }) => ({ data: toPreviewView(found, params.clusterId) }),
  });
}

function previewRequest(
  { params: { clusterId }, query, request }: ReadOf<typeof operations.previewStrategy>,
  rule: string,
) {
  const body = bodyObject(request.body);
  const { count = query.count ?? 0 } = parse(operations.PreviewCount, body);
  const wanted = body.strategy === undefined ? undefined : parseRule(body, clusterId, rule);
  return { clusterId, rule, count, ...(wanted && { proposal: { clusterId, rule, ...wanted.settings } }) };
}

/**
 * Asks what people should know about a rule, beside its save.
 *
 * @returns what was found, for once it is saved; a sentence that says so where it cannot be found out right now
 */
export function askWarnings(
  { clusterId, rule, ...change }: RequestOf<'saveStrategy'>,
  scope: RequestScope,
  dependencies: CallDependencies,
): () => Promise<string[]> {
  const asked = askedAhead(
    dependencies.backends.occurrences.previewStrategy(
      { clusterId, rule, count: 1, proposal: { ...change, clusterId, rule, createOnly: false } },
      extraCallOptions(scope, dependencies),
    ),
  );
  return async () => {
    try {
      return (await asked).warnings;
    } catch (error) {
      leftOut(error, { clusterId, rule, requestId: scope.id }, 'a saved strategy could not be previewed');
      return ['What may surprise of this rule could not be looked up just now; its preview tells it.'];
    }
  };
}

function toPreviewView(found: PreviewStrategyResponse, clusterId: string): operations.PreviewView {
  return {
    strategy: toLegacyStrategy(found.strategy, clusterId),
    starts: found.starts.map(toStartView),
    warnings: found.warnings,
    past: { backups: found.pastBackups, tooLong: found.pastTooLong, longestSeconds: found.longestSeconds },
  };
}

function toStartView(start: PlannedStart): operations.PreviewView['starts'][number] {
  return {
    opensAt: timeOf(start.opensAt),
    closesAt: timeOf(start.closesAt),
    startAt: timeOf(start.startAt),
    localOpensAt: start.localOpensAt,
    localClosesAt: start.localClosesAt,
    localStartAt: start.localStartAt,
    ...(start.notes.length > 0 && { notes: start.notes }),
  };
}
