import { AppError } from '@tidemark/errors/app-error';
import type {
  DeleteClusterRequest,
  DeleteClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { registryChanged } from '../events.ts';
import type { Dependencies } from './context.ts';
import { unknownCluster } from './refusals.ts';

/** Forgets a cluster's registration, never its backups (must-not C10). */
export function deleteCluster({ registry, store }: Dependencies) {
  return async (
    { id }: DeleteClusterRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<DeleteClusterResponse> => {
    const active = await store.findActive(id, signal);
    if (active)
      throw new AppError('cluster_in_use', `Cluster ${id} has an active backup, ${active._id}: cancel it first.`, {
        info: { clusterId: id, backupId: active._id },
      });
    if (!(await registry.clusters.delete(id))) throw unknownCluster(id);
    registryChanged('delete cluster', id, caller, requestId);
    return {};
  };
}
