import type {
  TestReceiverRequest,
  TestReceiverResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toDeliveryMessage } from '../notification/receiver-message.ts';
import { type NotificationDependencies, unknownReceiver } from './notification-context.ts';

/** Sends a receiver something once, now, and answers how that went. */
export function testReceiver({ receivers, tryOut }: NotificationDependencies) {
  return async ({ id }: TestReceiverRequest, { signal, leavePlace }: CallContext): Promise<TestReceiverResponse> => {
    const receiver = await receivers.get(id, signal);
    if (!receiver) throw unknownReceiver(id);
    leavePlace();
    return { delivery: toDeliveryMessage(await tryOut(receiver, signal)) };
  };
}
