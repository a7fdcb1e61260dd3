import type {
  GetStrategyRequest,
  GetStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { askedAhead } from '@tidemark/service-kit/abort';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { shareReads } from '@tidemark/service-kit/shared-reads';
import { DEFAULT_PERIOD, DEFAULT_RULE, type StrategyDocument, strategyId, toStrategyMessage } from '../strategy.ts';
import type { Dependencies } from './context.ts';

/**
 * A strategy; one that was never saved has no days, the window of the document, and the zone that a first save would take.
 *
 * @throws AppError `cluster_not_found`
 */
export function getStrategy({ store, clusters, timeZone, spreadMs }: Dependencies) {
  const share = shareReads<StrategyDocument | undefined>();
  return async (
    { clusterId, rule }: GetStrategyRequest,
    { signal, requestId, caller }: CallContext,
  ): Promise<GetStrategyResponse> => {
    const name = rule || DEFAULT_RULE;
    const asking = { signal, requestId, caller };
    const get = () => share(strategyId(clusterId, name), signal, (limit) => store.get(clusterId, name, limit));
    const found = askedAhead(get());
    const { cluster } = await clusters.require(clusterId, asking);
    // What the registry says may have taken an old rule away.
    const strategy = cluster ? await get() : await found;
    if (strategy) return { strategy: readOne('rule', strategy, (one) => toStrategyMessage(one, spreadMs), Strategy) };
    const zone = (cluster ?? (await clusters.ask(clusterId, asking))).timeZone || timeZone;
    const spreadSeconds = spreadMs / 1000;
    return {
      strategy: Strategy.create({ clusterId, rule: name, period: DEFAULT_PERIOD, timeZone: zone, spreadSeconds }),
    };
  };
}
