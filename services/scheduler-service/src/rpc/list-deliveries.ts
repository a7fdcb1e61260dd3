import { invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { askedPage } from '@tidemark/mongo/page-request';
import {
  Delivery as DeliveryMessage,
  type ListDeliveriesRequest,
  type ListDeliveriesResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import type { DeliveryState } from '../notification/decide/delivery.ts';
import { toTokenScope } from '../notification/delivery-store.ts';
import { DELIVERY_STATES, toDeliveryMessage } from '../notification/receiver-message.ts';
import { type NotificationDependencies, unknownReceiver } from './notification-context.ts';

/** A page of what was and is to be delivered to a receiver, newest first. What cannot be read is left out. */
export function listDeliveries({ receivers, deliveries, quarantines }: NotificationDependencies) {
  return async (
    { receiverId, states, pageSize, pageToken }: ListDeliveriesRequest,
    { signal, timeLeftMs }: CallContext,
  ): Promise<ListDeliveriesResponse> => {
    const wanted = (Object.keys(DELIVERY_STATES) as DeliveryState[]).filter((state) =>
      states.includes(DELIVERY_STATES[state]),
    );
    const filter = { receiverId, states: wanted };
    const wish = { page: 1, pageSize: pageSize || DEFAULT_PAGE_SIZE, pageToken, withoutTotal: true };
    const asked = askedPage(wish, { scope: toTokenScope(filter), exactTotal: 0, timeLeftMs: timeLeftMs() });
    if (asked.violations.length > 0) throw invalidArgument(asked.violations);
    const page = await deliveries.list(filter, asked.wish, signal);
    // Of one that is gone there may be some.
    if (page.rows.length === 0 && pageToken === '' && !(await receivers.get(receiverId, signal)))
      throw unknownReceiver(receiverId);
    const shown = readable(quarantines.deliveries, page.rows, toDeliveryMessage, DeliveryMessage);
    const messages = fitting(
      shown.map(({ message }) => message),
      DeliveryMessage,
    );
    const last = messages.length < shown.length ? shown[messages.length - 1]?.record : undefined;
    const { followingPageToken } = asked.answer(
      page,
      last && { at: last.createTime, id: last._id, number: page.rows.indexOf(last) + 1 },
    );
    return { deliveries: messages, nextPageToken: followingPageToken };
  };
}
