import {
  type ListStoragesRequest,
  type ListStoragesResponse,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { EMPTY_BIN } from '../finished-backups.ts';
import { toStorageMessage } from '../registry-message.ts';
import type { StorageDocument } from '../registry-store.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** All storages that can be read, by id: as many as fit, and the rest under a token, which is the last id of an answer. */
export function listStorages({ registry, finished, quarantines }: Dependencies) {
  return async ({ pageToken }: ListStoragesRequest, { signal }: CallContext): Promise<ListStoragesResponse> => {
    const check = validation();
    if (pageToken !== '') check.id('pageToken', pageToken);
    check.finish();
    const [registered, bins] = await Promise.all([registry.storages.list([], signal), finished.bins(signal)]);
    const found = registered.filter(({ _id }) => _id > pageToken);
    const toMessage = (storage: StorageDocument) => toStorageMessage(storage, bins.get(storage._id) ?? EMPTY_BIN);
    const messages = readable(quarantines.listedStorages, found, toMessage, Storage).map(({ message }) => message);
    const storages = fitting(messages, Storage);
    return { storages, nextPageToken: (messages.length > storages.length && storages.at(-1)?.id) || '' };
  };
}
