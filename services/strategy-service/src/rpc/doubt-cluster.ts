import type {
  DoubtClusterRequest,
  DoubtClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { Dependencies } from './context.ts';

/** Has the registry asked about a cluster from now on, since it may be deleted. */
export function doubtCluster({ clusters }: Dependencies) {
  return async ({ clusterId }: DoubtClusterRequest): Promise<DoubtClusterResponse> => {
    await clusters.doubt(clusterId);
    return {};
  };
}
