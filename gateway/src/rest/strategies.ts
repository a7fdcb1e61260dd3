import type { FastifyInstance } from 'fastify';
import { DEFAULT_RULE } from '../calls/find-rule.ts';
import { saveStrategy } from '../calls/save-strategy.ts';
import { type CallDependencies, callOptions } from '../calls/scope.ts';
import type { ResponseOf, Steps } from '../calls/steps.ts';
import { DELETE_STRATEGY_FAILED, QUERY_STRATEGY_FAILED, SAVE_STRATEGY_FAILED } from './failure-numbers.ts';
import * as operations from './operations/strategies.ts';
import { type ReadOf, route, type Shown } from './route.ts';
import { saveOptions } from './save-query.ts';
import { parseRule } from './strategy-body.ts';
import { askWarnings } from './strategy-preview.ts';
import { savedStrategy, toLegacyStrategy } from './strategy-view.ts';
import { bodyObject } from './validate.ts';

/** The strategy of a cluster: the documented calls, which know one rule, and deletion. */
export function strategyRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  const STRATEGY = '/clusters/:clusterId/strategy';

  route(app, dependencies, {
    method: 'GET',
    path: STRATEGY,
    operation: operations.getStrategy,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: ({ params }) => ({ clusterId: params.clusterId }),
    toView: ({ strategy }, { params }) => ({ data: { strategy: toLegacyStrategy(strategy, params.clusterId) } }),
  });

  const saving = {
    path: STRATEGY,
    failureNumber: SAVE_STRATEGY_FAILED,
    toRequest: (read: ReadOf<typeof operations.saveStrategy>) => saveRequest(read, DEFAULT_RULE),
    steps: () => savingWithWarnings,
    toView: savedView,
  };
  route(app, dependencies, { method: 'PUT', operation: operations.saveStrategy, ...saving });
  route(app, dependencies, { method: 'POST', operation: operations.saveStrategyByPost, ...saving });

  route(app, dependencies, {
    method: 'DELETE',
    path: STRATEGY,
    operation: operations.deleteStrategy,
    failureNumber: DELETE_STRATEGY_FAILED,
    toRequest: ({ params }) => ({ clusterId: params.clusterId, rule: DEFAULT_RULE }),
    toView: () => ({ data: {} }),
  });
}

type OfCluster = Pick<ReadOf<typeof operations.saveStrategy>, 'params' | 'query' | 'request'>;

/**
 * Reads the save of a rule.
 *
 * @param rule of the path; undefined to make the one that the body names
 */
export function saveRequest({ params: { clusterId }, query, request }: OfCluster, rule: string | undefined) {
  const wanted = parseRule(bodyObject(request.body), clusterId, rule);
  return { clusterId, rule: wanted.rule, createOnly: rule === undefined, ...saveOptions(query), ...wanted.settings };
}

type Saved = ResponseOf<'saveStrategy'>;

/** What people should know about rules, by the answers to their saves. */
const warningsOf = new WeakMap<Saved, () => Promise<string[]>>();

/** Finds out beside the save what people should know about the rule. */
export const savingWithWarnings: Steps<'saveStrategy'> = {
  ...saveStrategy,
  async act(request, { scope, dependencies }) {
    const warnings = askWarnings(request, scope, dependencies);
    const saved = await dependencies.backends.strategies.saveStrategy(request, callOptions(scope, dependencies));
    warningsOf.set(saved, warnings);
    return saved;
  },
};

/** Shows a rule that was saved, with what people should know about it. */
export async function savedView(saved: Saved, { params: { clusterId } }: OfCluster): Promise<Shown> {
  return { data: savedStrategy(saved.strategy, clusterId, await warningsOf.get(saved)?.()) };
}
