import type {
  DeleteStrategyRequest,
  DeleteStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { strategyDeleted } from '../events.ts';
import { type Dependencies, requireNames } from './context.ts';

/** Forgets a strategy; one that is not there is forgotten already. */
export function deleteStrategy({ store }: Dependencies) {
  return async (
    { clusterId, rule }: DeleteStrategyRequest,
    { caller, requestId }: CallContext,
  ): Promise<DeleteStrategyResponse> => {
    requireNames(clusterId, rule);
    await store.delete(clusterId, rule || undefined);
    strategyDeleted(clusterId, rule, caller, requestId);
    return {};
  };
}
