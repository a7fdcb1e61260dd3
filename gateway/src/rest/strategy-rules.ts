import { BackupMode, BackupOrigin } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { authorizeCluster } from '../authorize.ts';
import { success } from './envelope.ts';
import { DELETE_FAILED, findRule, QUERY_FAILED, SAVE_FAILED } from './find-rule.ts';
import { idempotencyKey } from './idempotency-key.ts';
import * as operations from './operations/strategies.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { saveRule } from './strategies.ts';
import { savedStrategy, toLegacyStrategy } from './strategy-view.ts';
import { parse } from './validate.ts';

const START_FAILED = 20602;
/** More than a cluster can have. */
const MOST_RULES = 1_000;

type WithCluster = { Params: { clusterId: string } };
type WithRule = { Params: { clusterId: string; rule: string } };

/** The rules of a cluster, of which the documented calls know one; and pause, resume and run. */
export function strategyRuleRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { strategies, registry, backups } = dependencies.backends;
  const RULES = '/clusters/:clusterId/strategies';
  const RULE = `${RULES}/:rule`;

  app.get<WithCluster>(
    RULES,
    { config: { failureNumber: QUERY_FAILED, operation: operations.listStrategies } },
    async (request) => {
      const { clusterId } = parse(operations.listStrategies.params, request.params);
      authorizeCluster(request.caller, 'listStrategies', clusterId);
      const options = () => callOptions(request, dependencies);
      await registry.getCluster({ id: clusterId }, options());
      const found = await strategies.listStrategies({ clusterIds: [clusterId], pageSize: MOST_RULES }, options());
      return success({ strategies: found.strategies.map((strategy) => toLegacyStrategy(strategy, clusterId)) });
    },
  );

  app.post<WithCluster>(
    RULES,
    { config: { failureNumber: SAVE_FAILED, audit: 'create strategy', operation: operations.createRule } },
    async (request) => {
      const { clusterId } = parse(operations.listStrategies.params, request.params);
      return saveRule(request, dependencies, clusterId, undefined);
    },
  );

  app.get<WithRule>(
    RULE,
    { config: { failureNumber: QUERY_FAILED, operation: operations.getRule } },
    async (request) => {
      const { clusterId, rule } = parse(operations.getRule.params, request.params);
      authorizeCluster(request.caller, 'getStrategy', clusterId);
      return success({ strategy: toLegacyStrategy(await findRule(request, dependencies, clusterId, rule), clusterId) });
    },
  );

  app.put<WithRule>(
    RULE,
    { config: { failureNumber: SAVE_FAILED, audit: 'save strategy', operation: operations.saveRule } },
    async (request) => {
      const { clusterId, rule } = parse(operations.getRule.params, request.params);
      return saveRule(request, dependencies, clusterId, rule);
    },
  );

  app.delete<WithRule>(
    RULE,
    { config: { failureNumber: DELETE_FAILED, audit: 'delete strategy', operation: operations.deleteRule } },
    async (request) => {
      const { clusterId, rule } = parse(operations.getRule.params, request.params);
      request.audited = { clusterId, rule };
      authorizeCluster(request.caller, 'deleteStrategy', clusterId);
      await findRule(request, dependencies, clusterId, rule);
      await strategies.deleteStrategy({ clusterId, rule }, callOptions(request, dependencies));
      return success({});
    },
  );

  const setPaused = async (request: FastifyRequest<WithRule>, paused: boolean) => {
    const { clusterId, rule } = parse(operations.getRule.params, request.params);
    request.audited = { clusterId, rule };
    authorizeCluster(request.caller, 'saveStrategy', clusterId);
    await findRule(request, dependencies, clusterId, rule);
    const { strategy } = await strategies.saveStrategy({ clusterId, rule, paused }, callOptions(request, dependencies));
    return savedStrategy(strategy, clusterId);
  };
  app.post<WithRule>(
    `${RULE}/pause`,
    { config: { failureNumber: SAVE_FAILED, audit: 'pause strategy', operation: operations.pauseRule } },
    (request) => setPaused(request, true),
  );
  app.post<WithRule>(
    `${RULE}/resume`,
    { config: { failureNumber: SAVE_FAILED, audit: 'resume strategy', operation: operations.resumeRule } },
    (request) => setPaused(request, false),
  );

  // Now, and beside the plan: the strategy is only read.
  app.post<WithRule>(
    `${RULE}/run`,
    { config: { failureNumber: START_FAILED, audit: 'run strategy', operation: operations.runRule } },
    async (request) => {
      const { clusterId, rule } = parse(operations.getRule.params, request.params);
      const key = idempotencyKey(request);
      request.audited = { clusterId, rule };
      authorizeCluster(request.caller, 'startBackup', clusterId);
      const { storageId, brOptions } = await findRule(request, dependencies, clusterId, rule);
      const { backup } = await backups.startBackup(
        {
          clusterId,
          key,
          mode: BackupMode.MANUAL,
          origin: BackupOrigin.REQUEST,
          rule,
          storageId,
          ...(brOptions && { brOptions }),
        },
        callOptions(request, dependencies),
      );
      const backupId = backup?.id ?? '';
      request.audited = { clusterId, rule, backupId };
      return success({ backupId, workFlowId: backupId });
    },
  );
}
