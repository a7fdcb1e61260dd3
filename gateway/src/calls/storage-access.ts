/** Which clusters may use a storage: backup-service decides that; here it is asked, for REST and RPC alike. */

import { AppError } from '@tidemark/errors/app-error';
import { MAX_STORAGE_USERS } from '@tidemark/limits/limits';
import type { Storage } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FleetStrategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { leftOut } from './left-out.ts';
import { type CallDependencies, callOptions, extraCallOptions, type RequestScope } from './scope.ts';

/**
 * Looks before a storage is closed to clusters: nothing that writes to it may be left behind. What may not use it already
 * is no reason.
 *
 * @throws AppError `storage_in_use` naming clusters and rules
 */
export async function requireStillUsable(
  { id, usableBy }: Pick<Storage, 'id' | 'usableBy'>,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<void> {
  if (!usableBy) return;
  const { registry, strategies } = dependencies.backends;
  const { clusterIds, ownerIds } = await registry.listExcludedClusters(
    { storageId: id, proposal: usableBy },
    callOptions(scope, dependencies),
  );
  if (clusterIds.length === 0) return;
  const rules = await strategies.listStorageUsers({ storageId: id, clusterIds }, callOptions(scope, dependencies));
  const total = ownerIds.length + rules.total;
  if (total === 0) return;
  const users = [
    ...ownerIds.map((clusterId) => `cluster ${clusterId}`),
    ...rules.users.map(({ clusterId, rule, fleetStrategy }) => {
      const why = fleetStrategy === '' ? '' : ` (strategy ${fleetStrategy} for labels)`;
      return `rule ${rule} of cluster ${clusterId}${why}`;
    }),
  ];
  throw new AppError(
    'storage_in_use',
    `Storage ${id} would be closed to what writes to it: ${someOf(users, total)}. Let them write elsewhere first, or keep them in usableBy.`,
    { info: { storageId: id } },
  );
}

/** What people should know of a strategy for labels that was saved; a sentence that says so where it cannot be found out right now. */
export async function accessWarnings(
  { name, storageId, selector }: Pick<FleetStrategy, 'name' | 'storageId' | 'selector'>,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<string[]> {
  if (storageId === '') return [];
  try {
    const { clusterIds } = await dependencies.backends.registry.listExcludedClusters(
      { storageId, labels: selector },
      extraCallOptions(scope, dependencies),
    );
    if (clusterIds.length === 0) return [];
    return [
      `These clusters may not use storage ${storageId}, so their windows start nothing: ${someOf(clusterIds, clusterIds.length)}.`,
    ];
  } catch (error) {
    leftOut(error, { name, storageId, requestId: scope.id }, 'who may not use the storage could not be found out');
    return [
      `Which of its clusters may not use storage ${storageId} could not be looked up just now; saving the same again tells it.`,
    ];
  }
}

function someOf(names: readonly string[], total: number): string {
  const named = names.slice(0, MAX_STORAGE_USERS);
  return `${named.join(', ')}${total > named.length ? ` and ${total - named.length} more` : ''}`;
}
