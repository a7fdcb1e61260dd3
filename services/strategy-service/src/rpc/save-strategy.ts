import type {
  SaveStrategyRequest,
  SaveStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { isTimeZone } from '@tidemark/schedule/time-zone';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { strategySaved } from '../events.ts';
import {
  DEFAULT_PERIOD,
  DEFAULT_RULE,
  plan,
  type StrategyDocument,
  strategyId,
  toChange,
  toStrategyMessage,
} from '../strategy.ts';
import { type Dependencies, requireNames } from './context.ts';

/**
 * Saves a strategy. A window that is open now starts now; resuming a paused strategy never starts anything, so there
 * only later windows count. A window that was taken up already has its occurrence and starts no second backup.
 */
export function saveStrategy({ store, now, timeZone, spreadMs }: Dependencies) {
  return async (
    request: SaveStrategyRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<SaveStrategyResponse> => {
    requireNames(request.clusterId, request.rule);
    const change = toChange(request);
    const rule = request.rule || DEFAULT_RULE;
    const { clusterId, defaultTimeZone } = request;
    const zone = isTimeZone(defaultTimeZone) ? defaultTimeZone : timeZone;

    const { strategy } = await store.change(
      clusterId,
      rule,
      (before) => {
        const at = now();
        const fresh: Omit<StrategyDocument, 'nextWindow'> = {
          _id: strategyId(clusterId, rule),
          clusterId,
          rule,
          days: [],
          period: DEFAULT_PERIOD,
          timeZone: zone,
          paused: false,
          createTime: at,
          ...before,
          ...change,
          revision: (before?.revision ?? 0) + 1,
          updateTime: at,
          updatedBy: caller,
        };
        const resumed = before?.paused === true && !fresh.paused;
        return { ...fresh, nextWindow: plan(fresh, at, !resumed, spreadMs) };
      },
      signal,
    );
    if (strategy) strategySaved(strategy, caller, requestId);
    return { strategy: strategy && toStrategyMessage(strategy) };
  };
}
