import {
  type ListReceiversRequest,
  type ListReceiversResponse,
  Receiver,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readable } from '@tidemark/service-kit/quarantine';
import { toReceiverMessage } from '../notification/receiver-message.ts';
import type { NotificationDependencies } from './notification-context.ts';

/** All receivers, by id. What cannot be read is left out. */
export function listReceivers({ receivers, quarantines }: NotificationDependencies) {
  return async (_: ListReceiversRequest, { signal }: CallContext): Promise<ListReceiversResponse> => {
    const shown = readable(quarantines.receivers, await receivers.list(signal), toReceiverMessage, Receiver);
    return { receivers: shown.map(({ message }) => message) };
  };
}
