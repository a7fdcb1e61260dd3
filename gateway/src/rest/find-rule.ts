import { AppError } from '@tidemark/errors/app-error';
import type { Strategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { callOptions, type RequestScope, type RouteDependencies } from './route.ts';

/** Numbers of what failed inside, as the document has them. */
export const SAVE_FAILED = 20605;
export const QUERY_FAILED = 20606;
export const DELETE_FAILED = 20607;

/** The rule of the documented API. */
export const DEFAULT_RULE = 'default';

/** A rule that was saved. @throws AppError `cluster_not_found`, or `strategy_not_found` for a rule that never was */
export async function findRule(
  request: RequestScope,
  dependencies: RouteDependencies,
  clusterId: string,
  rule: string,
): Promise<Strategy> {
  const { strategies, registry } = dependencies.backends;
  await registry.getCluster({ id: clusterId }, callOptions(request, dependencies));
  const { strategy } = await strategies.getStrategy({ clusterId, rule }, callOptions(request, dependencies));
  if (!strategy || strategy.revision === 0n)
    throw new AppError(
      'strategy_not_found',
      `The cluster ${clusterId} has no rule ${rule}; GET /clusters/${clusterId}/strategies lists its rules.`,
      { info: { clusterId, rule } },
    );
  return strategy;
}
