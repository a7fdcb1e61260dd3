import type {
  DeleteReceiverRequest,
  DeleteReceiverResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { receiverDeleted } from '../events.ts';
import { type NotificationDependencies, unknownReceiver } from './notification-context.ts';

/** Forgets a receiver; what waits for it is dropped by the loop that sends. */
export function deleteReceiver({ receivers, beats }: NotificationDependencies) {
  return async (
    { id }: DeleteReceiverRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<DeleteReceiverResponse> => {
    const wasThere = await receivers.remove(id, signal);
    await beats.remove(id, signal);
    if (!wasThere) throw unknownReceiver(id);
    receiverDeleted(id, caller, requestId);
    return {};
  };
}
