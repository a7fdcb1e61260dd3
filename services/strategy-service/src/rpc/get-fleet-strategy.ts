import {
  FleetStrategy,
  type GetFleetStrategyRequest,
  type GetFleetStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { type FleetStrategyDocument, toFleetMessage } from '../fleet-strategy.ts';
import { type Dependencies, unknownFleetStrategy } from './context.ts';

/** A strategy for labels. @throws AppError `strategy_not_found` */
export function getFleetStrategy({ store, fleet }: Dependencies) {
  return async ({ name }: GetFleetStrategyRequest, { signal }: CallContext): Promise<GetFleetStrategyResponse> => {
    const found = await fleet.get(name, signal);
    if (!found || found.deleting) throw unknownFleetStrategy(name);
    const counts = await store.countFleetRules(signal);
    const toMessage = (one: FleetStrategyDocument) => toFleetMessage(one, counts.get(name) ?? 0);
    return { fleetStrategy: readOne('strategy for labels', found, toMessage, FleetStrategy) };
  };
}
