import {
  FleetStrategy,
  type ListFleetStrategiesRequest,
  type ListFleetStrategiesResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { type FleetStrategyDocument, toFleetMessage } from '../fleet-strategy.ts';
import type { Dependencies } from './context.ts';

/** All strategies for labels that can be read, by name: as many as fit, and the rest under a token, which is the last name of an answer. */
export function listFleetStrategies({ store, fleet, quarantines }: Dependencies) {
  return async (
    { pageToken }: ListFleetStrategiesRequest,
    { signal }: CallContext,
  ): Promise<ListFleetStrategiesResponse> => {
    const all = (await fleet.list(signal)).filter(({ deleting, _id }) => !deleting && _id > pageToken);
    const counts = all.length > 0 ? await store.countFleetRules(signal) : new Map<string, number>();
    const toMessage = (one: FleetStrategyDocument) => toFleetMessage(one, counts.get(one._id) ?? 0);
    const messages = readable(quarantines.fleetStrategies, all, toMessage, FleetStrategy).map(({ message }) => message);
    const fleetStrategies = fitting(messages, FleetStrategy);
    const more = fleetStrategies.length < messages.length;
    return { fleetStrategies, nextPageToken: (more && fleetStrategies.at(-1)?.name) || '' };
  };
}
