import {
  Cluster,
  type GetClusterRequest,
  type GetClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { toClusterMessage } from '../registry-message.ts';
import type { Dependencies } from './context.ts';
import { unknownCluster } from './refusals.ts';

/** One cluster. */
export function getCluster({ registry }: Dependencies) {
  return async ({ id }: GetClusterRequest, { signal }: CallContext): Promise<GetClusterResponse> => {
    const cluster = await registry.clusters.get(id, signal);
    if (!cluster) throw unknownCluster(id);
    return { cluster: readOne('cluster', cluster, toClusterMessage, Cluster) };
  };
}
