import {
  type RegistryServiceServer,
  RegistryServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { checkStorage } from './check-storage.ts';
import type { Dependencies } from './context.ts';
import { createToken } from './create-token.ts';
import { deleteCluster } from './delete-cluster.ts';
import { deleteStorage } from './delete-storage.ts';
import { getCluster } from './get-cluster.ts';
import { getStorage } from './get-storage.ts';
import { getStorageCheck } from './get-storage-check.ts';
import { listClusters } from './list-clusters.ts';
import { listExcludedClusters } from './list-excluded-clusters.ts';
import { listStorages } from './list-storages.ts';
import { listTokens } from './list-tokens.ts';
import { listWorkers } from './list-workers.ts';
import { putCluster } from './put-cluster.ts';
import { putStorage } from './put-storage.ts';
import { readTokenHashes } from './read-token-hashes.ts';
import { rebuildRecords } from './rebuild-records.ts';
import { revokeToken } from './revoke-token.ts';
import { scanClusters } from './scan-clusters.ts';
import { search } from './search.ts';

/** Clusters, storages, workers and tokens, and what is found of all records. */
export function registryService(dependencies: Dependencies): ServiceBinding {
  return bindService<RegistryServiceServer>(RegistryServiceService, {
    putCluster: putCluster(dependencies),
    getCluster: getCluster(dependencies),
    listClusters: listClusters(dependencies),
    scanClusters: scanClusters(dependencies),
    deleteCluster: deleteCluster(dependencies),
    putStorage: putStorage(dependencies),
    getStorage: getStorage(dependencies),
    listStorages: listStorages(dependencies),
    deleteStorage: deleteStorage(dependencies),
    checkStorage: checkStorage(dependencies),
    rebuildRecords: rebuildRecords(dependencies),
    listExcludedClusters: listExcludedClusters(dependencies),
    getStorageCheck: getStorageCheck(dependencies),
    listWorkers: listWorkers(dependencies),
    search: search(dependencies),
    createToken: createToken(dependencies),
    listTokens: listTokens(dependencies),
    revokeToken: revokeToken(dependencies),
    readTokenHashes: readTokenHashes(dependencies),
  });
}
