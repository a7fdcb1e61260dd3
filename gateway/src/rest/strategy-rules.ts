import type { FastifyInstance } from 'fastify';
import { findRule, savedRule } from '../calls/find-rule.ts';
import type { CallDependencies } from '../calls/scope.ts';
import type { Acting, ResponseOf, Steps } from '../calls/steps.ts';
import {
  CREATE_FAILED,
  DELETE_STRATEGY_FAILED,
  QUERY_STRATEGY_FAILED,
  SAVE_STRATEGY_FAILED,
} from './failure-numbers.ts';
import { idempotencyKey } from './idempotency-key.ts';
import * as operations from './operations/strategies.ts';
import { type ReadOf, route } from './route.ts';
import { startedView } from './started-view.ts';
import { savedView, saveRequest, savingWithWarnings } from './strategies.ts';
import { savedStrategy, toLegacyStrategy } from './strategy-view.ts';

/** The rules of a cluster, of which the documented calls know one; and pause, resume and run. */
export function strategyRuleRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  const RULES = '/clusters/:clusterId/strategies';
  const RULE = `${RULES}/:rule`;

  route(app, dependencies, {
    method: 'GET',
    path: RULES,
    operation: operations.listStrategies,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: ({ params }) => ({ clusterIds: [params.clusterId] }),
    toView: ({ strategies }, { params }) => ({
      data: { strategies: strategies.map((strategy) => toLegacyStrategy(strategy, params.clusterId)) },
    }),
  });

  route(app, dependencies, {
    method: 'POST',
    path: RULES,
    operation: operations.createRule,
    failureNumber: SAVE_STRATEGY_FAILED,
    audit: 'create strategy',
    toRequest: (read) => saveRequest(read, undefined),
    steps: () => savingWithWarnings,
    toView: savedView,
  });

  route(app, dependencies, {
    method: 'GET',
    path: RULE,
    operation: operations.getRule,
    failureNumber: QUERY_STRATEGY_FAILED,
    toRequest: ({ params: { clusterId, rule } }) => ({ clusterId, rule }),
    toView: ({ strategy }, { params: { clusterId, rule } }) => ({
      data: { strategy: toLegacyStrategy(savedRule(strategy, clusterId, rule), clusterId) },
    }),
  });

  route(app, dependencies, {
    method: 'PUT',
    path: RULE,
    operation: operations.saveRule,
    failureNumber: SAVE_STRATEGY_FAILED,
    toRequest: (read) => saveRequest(read, read.params.rule),
    steps: () => savingWithWarnings,
    toView: savedView,
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: RULE,
    operation: operations.deleteRule,
    failureNumber: DELETE_STRATEGY_FAILED,
    toRequest: ({ params: { clusterId, rule } }) => ({ clusterId, rule }),
    steps: () => ({ names: ({ rule }) => ({ rule }), prepare: requireSaved }),
    toView: () => ({ data: {} }),
  });

  const pausing = (paused: boolean) => ({
    failureNumber: SAVE_STRATEGY_FAILED,
    toRequest: ({ params: { clusterId, rule } }: ReadOf<typeof operations.pauseRule>) => ({ clusterId, rule, paused }),
    // Of a rule that is there nothing else is looked at.
    steps: (): Steps<'saveStrategy'> => ({ names: ({ rule }) => ({ rule }), prepare: requireSaved }),
    toView: ({ strategy }: ResponseOf<'saveStrategy'>, { params }: ReadOf<typeof operations.pauseRule>) => ({
      data: savedStrategy(strategy, params.clusterId),
    }),
  });
  route(app, dependencies, {
    method: 'POST',
    path: `${RULE}/pause`,
    operation: operations.pauseRule,
    audit: 'pause strategy',
    ...pausing(true),
  });
  route(app, dependencies, {
    method: 'POST',
    path: `${RULE}/resume`,
    operation: operations.resumeRule,
    audit: 'resume strategy',
    ...pausing(false),
  });

  // Now, and beside the plan: the strategy is only read.
  route(app, dependencies, {
    method: 'POST',
    path: `${RULE}/run`,
    operation: operations.runRule,
    failureNumber: CREATE_FAILED,
    audit: 'run strategy',
    toRequest: ({ params: { clusterId, rule }, request }) => ({ clusterId, rule, key: idempotencyKey(request) }),
    toView: startedView,
  });
}

async function requireSaved(
  { clusterId, rule }: { readonly clusterId: string; readonly rule: string },
  { scope, dependencies }: Acting,
): Promise<void> {
  await findRule(scope, dependencies, clusterId, rule);
}
