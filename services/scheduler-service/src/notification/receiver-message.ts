/** Receivers and deliveries as people are told of them. */
import {
  Delivery as DeliveryMessage,
  DeliveryState as DeliveryStateMessage,
  ReceiverKind as KindMessage,
  MailSecurity as MailSecurityMessage,
  NotificationSeverity,
  NotificationTopic,
  Receiver as ReceiverMessage,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import type { Delivery, DeliveryState } from './decide/delivery.ts';
import type { NotificationEvent, Severity, Topic } from './decide/event.ts';
import type { MailSecurity, Receiver, ReceiverKind } from './decide/receiver.ts';

export const KINDS = {
  webhook: KindMessage.RECEIVER_KIND_WEBHOOK,
  slack: KindMessage.RECEIVER_KIND_SLACK,
  mail: KindMessage.RECEIVER_KIND_MAIL,
  heartbeat: KindMessage.RECEIVER_KIND_HEARTBEAT,
} as const satisfies Record<ReceiverKind, KindMessage>;

export const SEVERITY_MESSAGES = {
  info: NotificationSeverity.NOTIFICATION_SEVERITY_INFO,
  warning: NotificationSeverity.NOTIFICATION_SEVERITY_WARNING,
  critical: NotificationSeverity.NOTIFICATION_SEVERITY_CRITICAL,
} as const satisfies Record<Severity, NotificationSeverity>;

export const TOPIC_MESSAGES = {
  backup: NotificationTopic.NOTIFICATION_TOPIC_BACKUP,
  window: NotificationTopic.NOTIFICATION_TOPIC_WINDOW,
  promise: NotificationTopic.NOTIFICATION_TOPIC_PROMISE,
  removal: NotificationTopic.NOTIFICATION_TOPIC_REMOVAL,
  damage: NotificationTopic.NOTIFICATION_TOPIC_DAMAGE,
  storage: NotificationTopic.NOTIFICATION_TOPIC_STORAGE,
  log: NotificationTopic.NOTIFICATION_TOPIC_LOG,
  restore: NotificationTopic.NOTIFICATION_TOPIC_RESTORE,
} as const satisfies Record<Topic, NotificationTopic>;

const EVENT_TOPICS = {
  ...TOPIC_MESSAGES,
  digest: NotificationTopic.NOTIFICATION_TOPIC_DIGEST,
  test: NotificationTopic.NOTIFICATION_TOPIC_TEST,
} as const satisfies Record<NotificationEvent['topic'], NotificationTopic>;

export const SECURITIES = {
  tls: MailSecurityMessage.MAIL_SECURITY_TLS,
  starttls: MailSecurityMessage.MAIL_SECURITY_STARTTLS,
  none: MailSecurityMessage.MAIL_SECURITY_NONE,
} as const satisfies Record<MailSecurity, MailSecurityMessage>;

export const DELIVERY_STATES = {
  Waiting: DeliveryStateMessage.DELIVERY_STATE_WAITING,
  Delivered: DeliveryStateMessage.DELIVERY_STATE_DELIVERED,
  GivenUp: DeliveryStateMessage.DELIVERY_STATE_GIVEN_UP,
  Dropped: DeliveryStateMessage.DELIVERY_STATE_DROPPED,
} as const satisfies Record<DeliveryState, DeliveryStateMessage>;

/** The name that a message stands for, of one of these tables; undefined where it stands for none. */
export function nameOf<Name extends string, Message>(
  table: Readonly<Record<Name, Message>>,
  message: Message,
): Name | undefined {
  return (Object.keys(table) as Name[]).find((name) => table[name] === message);
}

export function toReceiverMessage(receiver: Receiver): ReceiverMessage {
  const {
    _id,
    kind,
    selector,
    leastSeverity,
    topics,
    digest,
    mail,
    secrets,
    revision,
    savedIn: _,
    ...fields
  } = receiver;
  return ReceiverMessage.create({
    ...fields,
    id: _id,
    kind: KINDS[kind],
    selector: Object.fromEntries(selector),
    leastSeverity: SEVERITY_MESSAGES[leastSeverity],
    topics: topics.map((topic) => TOPIC_MESSAGES[topic]),
    digest: digest ?? undefined,
    mail: mail ? { ...mail, to: [...mail.to], security: SECURITIES[mail.security] } : undefined,
    secrets: secrets
      ? {
          source:
            secrets.kind === 'file'
              ? { $case: 'file', value: secrets.file }
              : { $case: 'envPrefix', value: secrets.prefix },
        }
      : undefined,
    revision: BigInt(revision),
  });
}

export function toDeliveryMessage(delivery: Delivery): DeliveryMessage {
  const { event, receiverId, state, tries, trouble, task, endTime } = delivery;
  const { id, type, topic, severity, text, clusterId, storageId, backupId, restoreId, rule, at } = event;
  return DeliveryMessage.create({
    ...{ eventId: id, receiverId, type, text, clusterId, storageId, backupId, restoreId, rule, tries, trouble },
    state: DELIVERY_STATES[state],
    topic: EVENT_TOPICS[topic],
    severity: SEVERITY_MESSAGES[severity],
    eventTime: at,
    nextTryTime: task?.notBefore,
    endTime: endTime ?? undefined,
  });
}
