import type { FastifyInstance, FastifyRequest } from 'fastify';
import { authorizeCluster } from '../authorize.ts';
import { success } from './envelope.ts';
import { DEFAULT_RULE, DELETE_FAILED, QUERY_FAILED, SAVE_FAILED } from './find-rule.ts';
import type { Operation } from './operation.ts';
import * as operations from './operations/strategies.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { parseRule } from './strategy-body.ts';
import { warningsOf } from './strategy-preview.ts';
import { savedStrategy, toLegacyStrategy } from './strategy-view.ts';
import { bodyObject, parse } from './validate.ts';

type WithCluster = { Params: { clusterId: string } };

/** The strategy of a cluster: the documented calls, which know one rule, and deletion. */
export function strategyRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { strategies, registry } = dependencies.backends;

  app.get<WithCluster>(
    '/clusters/:clusterId/strategy',
    { config: { failureNumber: QUERY_FAILED, operation: operations.getStrategy } },
    async (request) => {
      const { clusterId } = parse(operations.getStrategy.params, request.params);
      authorizeCluster(request.caller, 'getStrategy', clusterId);
      const options = () => callOptions(request, dependencies);
      const { cluster } = await registry.getCluster({ id: clusterId }, options());
      const { strategy } = await strategies.getStrategy({ clusterId }, options());
      // One that was never saved has no zone of its own yet: a first save would take the cluster's.
      if (strategy && strategy.revision === 0n && cluster?.timeZone) strategy.timeZone = cluster.timeZone;
      return success({ strategy: toLegacyStrategy(strategy, clusterId) });
    },
  );

  const save = async (request: FastifyRequest<WithCluster>) => {
    const { clusterId } = parse(operations.getStrategy.params, request.params);
    return saveRule(request, dependencies, clusterId, DEFAULT_RULE);
  };
  const saving = (operation: Operation) => ({
    config: { failureNumber: SAVE_FAILED, audit: 'save strategy', operation },
  });
  app.put<WithCluster>('/clusters/:clusterId/strategy', saving(operations.saveStrategy), save);
  app.post<WithCluster>('/clusters/:clusterId/strategy', saving(operations.saveStrategyByPost), save);

  app.delete<WithCluster>(
    '/clusters/:clusterId/strategy',
    { config: { failureNumber: DELETE_FAILED, audit: 'delete strategy', operation: operations.deleteStrategy } },
    async (request) => {
      const { clusterId } = parse(operations.getStrategy.params, request.params);
      request.audited = { clusterId };
      authorizeCluster(request.caller, 'deleteStrategy', clusterId);
      const options = () => callOptions(request, dependencies);
      await registry.getCluster({ id: clusterId }, options());
      await strategies.deleteStrategy({ clusterId, rule: DEFAULT_RULE }, options());
      return success({});
    },
  );
}

/**
 * Saves a rule from the body of a request.
 *
 * @param rule of the path; undefined to make the one that the body names
 */
export async function saveRule(
  request: FastifyRequest,
  dependencies: RouteDependencies,
  clusterId: string,
  rule: string | undefined,
): Promise<object> {
  const { strategies, registry } = dependencies.backends;
  request.audited = { clusterId, ...(rule !== undefined && rule !== DEFAULT_RULE && { rule }) };
  authorizeCluster(request.caller, 'saveStrategy', clusterId);
  const wanted = parseRule(bodyObject(request.body), clusterId, rule);
  if (rule === undefined) request.audited = { clusterId, rule: wanted.rule };
  const options = () => callOptions(request, dependencies);
  const { cluster } = await registry.getCluster({ id: clusterId }, options());
  if (wanted.storageId) await registry.getStorage({ id: wanted.storageId }, options());
  const { strategy } = await strategies.saveStrategy(
    {
      clusterId,
      rule: wanted.rule,
      defaultTimeZone: cluster?.timeZone ?? '',
      createOnly: rule === undefined,
      ...wanted.settings,
    },
    options(),
  );
  return savedStrategy(strategy, clusterId, await warningsOf(request, dependencies, clusterId, wanted.rule));
}
