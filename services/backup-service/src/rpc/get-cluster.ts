import type {
  GetClusterRequest,
  GetClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toClusterMessage } from '../registry-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownCluster } from './refusals.ts';

/** One cluster. */
export function getCluster({ registry }: Dependencies) {
  return async ({ id }: GetClusterRequest, { signal }: CallContext): Promise<GetClusterResponse> => {
    const check = validation();
    check.id('clusterId', id);
    check.finish();
    const cluster = await registry.clusters.get(id, signal);
    if (!cluster) throw unknownCluster(id);
    return { cluster: toClusterMessage(cluster) };
  };
}
