import { AppError } from '@tidemark/errors/app-error';
import type { FleetDependencies } from '../fleet-loop.ts';
import type { KnownClusters, Registry } from '../known-clusters.ts';
import type { QuotaStore } from '../quota-store.ts';

/** What the handlers of this service work with. */
export interface Dependencies extends FleetDependencies {
  readonly clusters: KnownClusters;
  readonly registry: Registry;
  readonly quotas: QuotaStore;
  /** Has strategies for labels applied at once. */
  readonly wakeFleetLoop: () => void;
}

/** Of strategies for labels; no cluster has this id. */
export const FLEET_QUOTA = 'strategies for labels';

export function unknownRule(clusterId: string, rule: string): AppError {
  return new AppError(
    'strategy_not_found',
    `The cluster ${clusterId} has no rule ${rule}; list its rules, or save one.`,
    {
      info: { clusterId, rule },
    },
  );
}

export function unknownFleetStrategy(name: string): AppError {
  return new AppError('strategy_not_found', `There is no strategy ${name} for labels.`, { info: { name } });
}
