import { AppError } from '@tidemark/errors/app-error';
import type {
  DeleteClusterRequest,
  DeleteClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { Occupant } from '../backup-store.ts';
import { registryChanged } from '../events.ts';
import { isAtRest } from '../log/log-backup.ts';
import type { Dependencies } from './context.ts';
import { calledFor, unknownCluster } from './refusals.ts';

/** Forgets a cluster's registration, never its backups (must-not C10). */
export function deleteCluster({ registry, store, logs }: Dependencies) {
  return async (
    { id }: DeleteClusterRequest,
    { caller, requestId, sees, signal }: CallContext,
  ): Promise<DeleteClusterResponse> => {
    const active = await store.findActive(id, signal);
    if (active) throw inUse(id, active, sees);
    const log = await logs.get(id, signal);
    // One that does not answer any more can be let go of once its log is not wanted.
    const isLetGo = log?.wanted === 'off' && log.observed.state === 'Unknown';
    if (log && !isAtRest(log) && !isLetGo)
      throw new AppError('cluster_in_use', `The log of cluster ${id} is backed up: stop that first.`, {
        info: { clusterId: id },
      });
    if (!(await registry.clusters.delete(id))) throw unknownCluster(id);
    registryChanged('delete cluster', id, caller, requestId);
    return {};
  };
}

function inUse(clusterId: string, { backup, restore }: Occupant, sees: CallContext['sees']): AppError {
  if (backup)
    return new AppError(
      'cluster_in_use',
      `Cluster ${clusterId} has an active backup, ${backup._id}: cancel it first.`,
      {
        info: { clusterId, backupId: backup._id },
      },
    );
  const { state, targetState } = restore;
  const { who, named } = calledFor(restore, sees);
  return new AppError(
    'cluster_in_use',
    `${who} has cluster ${clusterId} (${state}, target ${targetState}): cancel or release it first.`,
    { info: { clusterId, ...named } },
  );
}
