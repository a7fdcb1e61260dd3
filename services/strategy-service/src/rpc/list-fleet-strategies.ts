import type {
  ListFleetStrategiesRequest,
  ListFleetStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toFleetMessage } from '../fleet-strategy.ts';
import type { Dependencies } from './context.ts';

/** All strategies for labels, by name. */
export function listFleetStrategies({ store, fleet }: Dependencies) {
  return async (_: ListFleetStrategiesRequest, { signal }: CallContext): Promise<ListFleetStrategiesResponse> => {
    const all = (await fleet.list(signal)).filter(({ deleting }) => !deleting);
    const counts = all.length > 0 ? await store.countFleetRules(signal) : new Map<string, number>();
    return { fleetStrategies: all.map((one) => toFleetMessage(one, counts.get(one._id) ?? 0)) };
  };
}
