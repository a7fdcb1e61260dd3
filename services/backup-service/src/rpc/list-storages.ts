import type {
  ListStoragesRequest,
  ListStoragesResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toStorageMessage } from '../registry-message.ts';
import type { Dependencies } from './context.ts';

/** All storages, by id. */
export function listStorages({ registry }: Dependencies) {
  return async (_: ListStoragesRequest, { signal }: CallContext): Promise<ListStoragesResponse> => {
    const storages = await registry.storages.list([], signal);
    return { storages: storages.map(toStorageMessage) };
  };
}
