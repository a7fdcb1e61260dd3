import {
  Cluster,
  type ScanClustersRequest,
  type ScanClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { inFittingPieces } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { toClusterMessage } from '../registry-message.ts';
import type { Dependencies } from './context.ts';

/** Every cluster there is that can be read; pages by id would cost some servers a walk over all of them each. */
export function scanClusters({ registry, quarantines }: Dependencies) {
  return async function* (_: ScanClustersRequest, { signal }: CallContext): AsyncGenerator<ScanClustersResponse> {
    for await (const batch of registry.clusters.scan(signal)) {
      const messages = readable(quarantines.listedClusters, batch, toClusterMessage, Cluster).map(
        ({ message }) => message,
      );
      for (const clusters of inFittingPieces(messages, Cluster)) yield { clusters };
    }
  };
}
