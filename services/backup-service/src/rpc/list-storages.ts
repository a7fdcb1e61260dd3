import {
  type ListStoragesRequest,
  type ListStoragesResponse,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { toStorageMessage } from '../registry-message.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** All storages that can be read, by id: as many as fit, and the rest under a token, which is the last id of an answer. */
export function listStorages({ registry, quarantines }: Dependencies) {
  return async ({ pageToken }: ListStoragesRequest, { signal }: CallContext): Promise<ListStoragesResponse> => {
    const check = validation();
    if (pageToken !== '') check.id('pageToken', pageToken);
    check.finish();
    const found = (await registry.storages.list([], signal)).filter(({ _id }) => _id > pageToken);
    const messages = readable(quarantines.listedStorages, found, toStorageMessage, Storage).map(
      ({ message }) => message,
    );
    const storages = fitting(messages, Storage);
    return { storages, nextPageToken: (messages.length > storages.length && storages.at(-1)?.id) || '' };
  };
}
