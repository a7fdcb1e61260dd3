import type {
  GetStorageRequest,
  GetStorageResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toStorageMessage } from '../registry-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownStorage } from './refusals.ts';

/** One storage. */
export function getStorage({ registry }: Dependencies) {
  return async ({ id }: GetStorageRequest, { signal }: CallContext): Promise<GetStorageResponse> => {
    const check = validation();
    check.id('storageId', id);
    check.finish();
    const storage = await registry.storages.get(id, signal);
    if (!storage) throw unknownStorage(id);
    return { storage: toStorageMessage(storage) };
  };
}
