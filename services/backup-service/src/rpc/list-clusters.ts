import type {
  ListClustersRequest,
  ListClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toClusterMessage } from '../registry-message.ts';
import type { Dependencies } from './context.ts';

/** All clusters, or those asked for, by id. */
export function listClusters({ registry }: Dependencies) {
  return async ({ ids }: ListClustersRequest, { signal }: CallContext): Promise<ListClustersResponse> => {
    const clusters = await registry.clusters.list(ids, signal);
    return { clusters: clusters.map(toClusterMessage) };
  };
}
