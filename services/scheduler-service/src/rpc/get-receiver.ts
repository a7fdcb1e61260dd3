import {
  type GetReceiverRequest,
  type GetReceiverResponse,
  Receiver,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { readOne } from '@tidemark/service-kit/quarantine';
import { toReceiverMessage } from '../notification/receiver-message.ts';
import { type NotificationDependencies, unknownReceiver } from './notification-context.ts';

/** One receiver, and how it is with it. */
export function getReceiver({ receivers, deliveries, beats }: NotificationDependencies) {
  return async ({ id }: GetReceiverRequest, { signal }: CallContext): Promise<GetReceiverResponse> => {
    const found = await receivers.get(id, signal);
    if (!found) throw unknownReceiver(id);
    const receiver = readOne('receiver', found, toReceiverMessage, Receiver);
    const { waiting, waitingSince, deliveredAt, trouble } = await deliveries.standing(id, signal);
    const beat = found.kind === 'heartbeat' ? await beats.get(id, signal) : undefined;
    return {
      receiver,
      status: {
        waiting,
        waitingSince,
        deliveredTime: found.kind === 'heartbeat' ? (beat?.beatAt ?? undefined) : deliveredAt,
        trouble: beat?.trouble || trouble,
      },
    };
  };
}
