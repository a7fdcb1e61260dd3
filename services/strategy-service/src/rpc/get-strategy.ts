import type {
  GetStrategyRequest,
  GetStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { DEFAULT_PERIOD, DEFAULT_RULE, toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

/** A strategy; one that was never saved has no days and the window of the document. */
export function getStrategy({ store, timeZone, spreadMs }: Dependencies) {
  return async ({ clusterId, rule }: GetStrategyRequest, { signal }: CallContext): Promise<GetStrategyResponse> => {
    const name = rule || DEFAULT_RULE;
    const strategy = await store.get(clusterId, name, signal);
    return {
      strategy: strategy
        ? readOne('rule', strategy, (one) => toStrategyMessage(one, spreadMs), Strategy)
        : Strategy.create({ clusterId, rule: name, period: DEFAULT_PERIOD, timeZone, spreadSeconds: spreadMs / 1000 }),
    };
  };
}
