import type {
  GetFleetStrategyRequest,
  GetFleetStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toFleetMessage } from '../fleet-strategy.ts';
import { type Dependencies, requireName, unknownFleetStrategy } from './context.ts';

/** A strategy for labels. @throws AppError `strategy_not_found` */
export function getFleetStrategy({ store, fleet }: Dependencies) {
  return async ({ name }: GetFleetStrategyRequest, { signal }: CallContext): Promise<GetFleetStrategyResponse> => {
    requireName(name);
    const found = await fleet.get(name, signal);
    if (!found || found.deleting) throw unknownFleetStrategy(name);
    const counts = await store.countFleetRules(signal);
    return { fleetStrategy: toFleetMessage(found, counts.get(name) ?? 0) };
  };
}
