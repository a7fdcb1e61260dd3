import { AppError } from '@tidemark/errors/app-error';
import type { Strategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { type CallDependencies, callOptions, type RequestScope } from './scope.ts';

/** The rule of the documented API. */
export const DEFAULT_RULE = 'default';

/** The rule in an audit line, which does not name the one of the documented API. */
export function namesRule(rule: string): { rule?: string } {
  return rule === '' || rule === DEFAULT_RULE ? {} : { rule };
}

/** A rule that was saved. @throws AppError `cluster_not_found`, or `strategy_not_found` for a rule that never was */
export async function findRule(
  request: RequestScope,
  dependencies: CallDependencies,
  clusterId: string,
  rule: string,
): Promise<Strategy> {
  const options = callOptions(request, dependencies);
  const { strategy } = await dependencies.backends.strategies.getStrategy({ clusterId, rule }, options);
  return savedRule(strategy, clusterId, rule);
}

/** @throws AppError `strategy_not_found` for a rule that was never saved */
export function savedRule(strategy: Strategy | undefined, clusterId: string, rule: string): Strategy {
  if (strategy && strategy.revision !== 0n) return strategy;
  throw new AppError(
    'strategy_not_found',
    `The cluster ${clusterId} has no rule ${rule}; GET /clusters/${clusterId}/strategies lists its rules.`,
    { info: { clusterId, rule } },
  );
}
