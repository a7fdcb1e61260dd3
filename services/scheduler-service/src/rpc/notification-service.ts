import {
  type NotificationServiceServer,
  NotificationServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { deleteReceiver } from './delete-receiver.ts';
import { getReceiver } from './get-receiver.ts';
import { listDeliveries } from './list-deliveries.ts';
import { listReceivers } from './list-receivers.ts';
import type { NotificationDependencies } from './notification-context.ts';
import { putReceiver } from './put-receiver.ts';
import { testReceiver } from './test-receiver.ts';

/** Who is notified of what, for people. */
export function notificationService(dependencies: NotificationDependencies): ServiceBinding {
  return bindService<NotificationServiceServer>(NotificationServiceService, {
    listReceivers: listReceivers(dependencies),
    getReceiver: getReceiver(dependencies),
    putReceiver: putReceiver(dependencies),
    deleteReceiver: deleteReceiver(dependencies),
    testReceiver: testReceiver(dependencies),
    listDeliveries: listDeliveries(dependencies),
  });
}
