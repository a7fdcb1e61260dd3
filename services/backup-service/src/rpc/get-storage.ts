import {
  type GetStorageRequest,
  type GetStorageResponse,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { EMPTY_BIN } from '../finished-backups.ts';
import { toStorageMessage } from '../registry-message.ts';
import type { Dependencies } from './context.ts';
import { unknownStorage, unusableStorage } from './refusals.ts';

/** One storage; on behalf of a cluster only one that it may use. */
export function getStorage({ registry, finished }: Dependencies) {
  return async ({ id, clusterId }: GetStorageRequest, { signal }: CallContext): Promise<GetStorageResponse> => {
    const storage = await registry.storages.get(id, signal);
    if (clusterId !== '' && !(storage && (await registry.mayUse(clusterId, storage, signal))))
      throw unusableStorage(id, clusterId);
    if (!storage) throw unknownStorage(id);
    // Whoever asks on behalf of a cluster wants to know what it may use, and nothing of its bin.
    const bin = clusterId === '' ? ((await finished.bins(signal, id)).get(id) ?? EMPTY_BIN) : undefined;
    return { storage: readOne('storage', storage, (one) => toStorageMessage(one, bin), Storage) };
  };
}
