import type {
  ScanClustersRequest,
  ScanClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toClusterMessage } from '../registry-message.ts';
import type { Dependencies } from './context.ts';

/** Every cluster there is; pages by id would cost some servers a walk over all of them each. */
export function scanClusters({ registry }: Dependencies) {
  return async function* (_: ScanClustersRequest, { signal }: CallContext): AsyncGenerator<ScanClustersResponse> {
    for await (const batch of registry.clusters.scan(signal)) yield { clusters: batch.map(toClusterMessage) };
  };
}
