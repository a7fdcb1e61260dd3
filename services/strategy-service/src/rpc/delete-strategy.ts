import { AppError } from '@tidemark/errors/app-error';
import type {
  DeleteStrategyRequest,
  DeleteStrategyResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { strategyDeleted } from '../events.ts';
import { reconcile } from '../fleet-loop.ts';
import type { Dependencies } from './context.ts';

/**
 * Forgets a strategy; one that is not there is forgotten already. A cluster whose own rule goes falls back at once to the
 * strategy for its labels, if there is one of this name.
 *
 * @throws AppError `strategy_inherited` for a rule that comes from a strategy for labels
 */
export function deleteStrategy(dependencies: Dependencies) {
  const { store, fleet, clusters, quotas, now } = dependencies;
  return async (
    { clusterId, rule }: DeleteStrategyRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<DeleteStrategyResponse> => {
    const at = now();
    if (rule === '') {
      // First what is known of it and its labels: from then on nothing is saved or derived for the cluster.
      await clusters.doubt(clusterId);
      await fleet.removeCluster(clusterId);
      await store.removeCluster(clusterId);
      await quotas.drop(clusterId);
    } else {
      const before = await store.get(clusterId, rule, signal);
      if (!before) return {};
      if (before.fleetStrategy !== '') throw inherited(clusterId, rule, before.fleetStrategy);
      await reconcile(dependencies, [clusterId], signal, rule);
      await quotas.release(clusterId, rule, at);
    }
    strategyDeleted(clusterId, rule, caller, requestId);
    return {};
  };
}

function inherited(clusterId: string, rule: string, fleetStrategy: string): AppError {
  return new AppError(
    'strategy_inherited',
    `The rule ${rule} of cluster ${clusterId} comes from the strategy ${fleetStrategy} for labels; pause it for this cluster, or save an own rule of this name.`,
    { info: { clusterId, rule, fleetStrategy } },
  );
}
