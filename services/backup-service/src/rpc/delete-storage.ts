import { AppError } from '@tidemark/errors/app-error';
import type {
  DeleteStorageRequest,
  DeleteStorageResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { registryChanged } from '../events.ts';
import type { Dependencies } from './context.ts';
import { unknownStorage } from './refusals.ts';

/** Forgets a storage that no cluster names and in which no backup lies. */
export function deleteStorage({ registry, markers, store, logs }: Dependencies) {
  return async (
    { id }: DeleteStorageRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<DeleteStorageResponse> => {
    const used =
      (await registry.clusters.anyWithStorage(id, signal)) ||
      (await store.anyInStorage(id, signal)) ||
      (await logs.anyInStorage(id, signal));
    if (used)
      throw new AppError('storage_in_use', `Storage ${id} is still used by a cluster or holds backups or logs.`, {
        info: { storageId: id },
      });
    await markers.removeAll(id, signal);
    if (!(await registry.storages.delete(id))) throw unknownStorage(id);
    registryChanged('delete storage', id, caller, requestId);
    return {};
  };
}
