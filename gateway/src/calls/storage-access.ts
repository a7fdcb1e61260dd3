/** Which clusters may use a storage: backup-service decides that; here it is asked, for REST and RPC alike. */

import { AppError } from '@tidemark/errors/app-error';
import { MAX_STORAGE_USERS } from '@tidemark/limits/limits';
import type { Cluster, Storage } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FleetStrategy } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { log } from '../logger.ts';
import { toError } from '../to-error.ts';
import { type CallDependencies, callOptions, extraCallOptions, type RequestScope } from './scope.ts';

/**
 * A storage that a rule is to write to.
 *
 * @param clusterId whose rule it is; empty for a strategy for labels, whose storage must only be there
 * @throws AppError `storage_not_found`, the same whether there is none or the cluster may not use it
 */
export async function requireUsable(
  storageId: string,
  clusterId: string,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<void> {
  await dependencies.backends.registry.getStorage({ id: storageId, clusterId }, callOptions(scope, dependencies));
}

/**
 * The storage that a rule will write to once it is saved: the one that it names, or the one that it has already, as of a
 * strategy for labels.
 *
 * @param rule with `storageId` that the save names: undefined keeps what is there, null is the cluster's own
 * @throws AppError as `requireUsable`
 */
export async function requireUsableByRule(
  {
    clusterId,
    rule,
    storageId,
  }: { readonly clusterId: string; readonly rule: string; readonly storageId?: string | null | undefined },
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<void> {
  const { strategies } = dependencies.backends;
  const kept = async () => {
    const saved = await strategies.getStrategy({ clusterId, rule }, callOptions(scope, dependencies)).catch(orNoRule);
    return saved.strategy?.storageId ?? '';
  };
  const named = storageId === undefined ? await kept() : (storageId ?? '');
  if (named !== '') await requireUsable(named, clusterId, scope, dependencies);
}

/**
 * The cluster of a rule that is to be saved, whose storage was looked at beside it.
 *
 * @throws AppError `cluster_not_found`, else as `requireUsableByRule`
 */
export async function clusterOfRule(
  target: Parameters<typeof requireUsableByRule>[0],
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<Cluster | undefined> {
  const { registry } = dependencies.backends;
  const found = registry.getCluster({ id: target.clusterId }, callOptions(scope, dependencies));
  const usable = requireUsableByRule(target, scope, dependencies);
  // Of a cluster that is not there nobody hears what its storage would be.
  usable.catch(() => undefined);
  const { cluster } = await found;
  await usable;
  return cluster;
}

function orNoRule(error: unknown): { strategy?: { storageId: string } } {
  if (toError(error).code === 'strategy_not_found') return {};
  throw error;
}

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

/** What people should know of a strategy for labels that was saved; nothing where it cannot be found out right now. */
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
    log.warn({ error, name, storageId, requestId: scope.id }, 'who may not use the storage could not be found out');
    return [];
  }
}

function someOf(names: readonly string[], total: number): string {
  const named = names.slice(0, MAX_STORAGE_USERS);
  return `${named.join(', ')}${total > named.length ? ` and ${total - named.length} more` : ''}`;
}
