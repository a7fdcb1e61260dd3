import {
  type Delivery,
  DeliveryState,
  MailSecurity,
  NotificationSeverity,
  NotificationTopic,
  type Receiver,
  ReceiverKind,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import type { RequestInit } from '../calls/steps.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/notifications.ts';
import { route } from './route.ts';
import { saveOptions } from './save-query.ts';

const KINDS = {
  webhook: ReceiverKind.WEBHOOK,
  slack: ReceiverKind.SLACK,
  mail: ReceiverKind.MAIL,
  heartbeat: ReceiverKind.HEARTBEAT,
} as const satisfies Record<operations.KindName, ReceiverKind>;
const SEVERITIES = {
  info: NotificationSeverity.INFO,
  warning: NotificationSeverity.WARNING,
  critical: NotificationSeverity.CRITICAL,
} as const satisfies Record<operations.SeverityName, NotificationSeverity>;
const TOPICS = {
  backup: NotificationTopic.BACKUP,
  window: NotificationTopic.WINDOW,
  promise: NotificationTopic.PROMISE,
  removal: NotificationTopic.REMOVAL,
  damage: NotificationTopic.DAMAGE,
  storage: NotificationTopic.STORAGE,
  log: NotificationTopic.LOG,
  restore: NotificationTopic.RESTORE,
} as const satisfies Record<operations.TopicName, NotificationTopic>;
const SECURITIES = {
  tls: MailSecurity.TLS,
  starttls: MailSecurity.STARTTLS,
  none: MailSecurity.NONE,
} as const satisfies Record<operations.SecurityName, MailSecurity>;
const DELIVERY_STATES = {
  waiting: DeliveryState.WAITING,
  delivered: DeliveryState.DELIVERED,
  givenUp: DeliveryState.GIVEN_UP,
  dropped: DeliveryState.DROPPED,
} as const satisfies Record<operations.DeliveryStateName, DeliveryState>;

const RECEIVER = '/notifications/:receiverId';

/** Who is notified of what. */
export function notificationRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/notifications',
    operation: operations.listReceivers,
    toRequest: () => ({}),
    toView: ({ receivers }) => ({ data: { receivers: receivers.map(toReceiverView) } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: RECEIVER,
    operation: operations.getReceiver,
    toRequest: ({ params }) => ({ id: params.receiverId }),
    toView({ receiver, status }) {
      const { waiting = 0, waitingSince, deliveredTime, trouble = '' } = status ?? {};
      return {
        data: {
          receiver: receiver && toReceiverView(receiver),
          status: {
            waiting,
            ...(waitingSince && { waitingSince: timeOf(waitingSince) }),
            ...(deliveredTime && { deliveredTime: timeOf(deliveredTime) }),
            ...(trouble !== '' && { trouble }),
          },
        },
      };
    },
  });

  route(app, dependencies, {
    method: 'PUT',
    path: RECEIVER,
    operation: operations.putReceiver,
    toRequest: ({ params, query, body }) => ({
      ...saveOptions(query),
      receiver: { ...toReceiver(body), id: params.receiverId },
    }),
    toView: ({ receiver }) => ({ data: { receiver: receiver && toReceiverView(receiver) } }),
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: RECEIVER,
    operation: operations.deleteReceiver,
    toRequest: ({ params }) => ({ id: params.receiverId }),
    toView: () => ({ data: {} }),
  });

  route(app, dependencies, {
    method: 'POST',
    path: `${RECEIVER}/test`,
    operation: operations.testReceiver,
    toRequest: ({ params }) => ({ id: params.receiverId }),
    toView: ({ delivery }) => ({ data: { delivery: delivery && toDeliveryView(delivery) } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: `${RECEIVER}/deliveries`,
    operation: operations.listDeliveries,
    toRequest: ({ params, query: { state, pageSize = 0, pageToken = '' } }) => ({
      receiverId: params.receiverId,
      states: state.map((name) => DELIVERY_STATES[name]),
      pageSize,
      pageToken,
    }),
    toView: ({ deliveries, nextPageToken }) => ({
      data: { deliveries: deliveries.map(toDeliveryView), ...(nextPageToken !== '' && { pageToken: nextPageToken }) },
    }),
  });
}

type Body = typeof operations.ReceiverBody._output;

function toReceiver(body: Body): NonNullable<RequestInit<'putReceiver'>['receiver']> {
  const {
    kind,
    paused = false,
    selector,
    leastSeverity,
    topics,
    template = '',
    digest,
    url = '',
    mail,
    secrets,
  } = body;
  return {
    kind: KINDS[kind],
    paused,
    selector: selector ?? {},
    ...(leastSeverity && { leastSeverity: SEVERITIES[leastSeverity] }),
    topics: (topics ?? []).map((topic) => TOPICS[topic]),
    ...{ template, url, everySeconds: body.everySeconds ?? 0 },
    ...(digest && { digest }),
    ...(mail && { mail: toMail(mail) }),
    ...(secrets && {
      secrets: {
        source:
          'file' in secrets ? { case: 'file', value: secrets.file } : { case: 'envPrefix', value: secrets.envPrefix },
      },
    }),
  };
}

function toMail({ security, ...mail }: NonNullable<Body['mail']>) {
  return { ...mail, ...(security && { security: SECURITIES[security] }) };
}

/** The name that a value has in a table. */
function nameOf<Name extends string, Value>(table: Readonly<Record<Name, Value>>, value: Value): Name | 'unknown' {
  return (Object.keys(table) as Name[]).find((name) => table[name] === value) ?? 'unknown';
}

function toReceiverView(receiver: Receiver): operations.ReceiverView {
  const { id, kind, paused, selector, leastSeverity, topics, template, digest, url, mail, secrets } = receiver;
  const source = secrets?.source;
  return {
    id,
    kind: nameOf(KINDS, kind),
    paused,
    selector,
    leastSeverity: nameOf(SEVERITIES, leastSeverity),
    topics: topics.map((topic) => nameOf(TOPICS, topic)),
    ...(template !== '' && { template }),
    ...(digest && { digest: { hour: digest.hour, timeZone: digest.timeZone } }),
    ...(url !== '' && { url }),
    ...(mail && {
      mail: {
        host: mail.host,
        port: mail.port,
        security: nameOf(SECURITIES, mail.security),
        from: mail.from,
        to: mail.to,
      },
    }),
    ...(source?.case && { secrets: { [source.case]: source.value } }),
    ...(receiver.everySeconds > 0 && { everySeconds: receiver.everySeconds }),
    revision: Number(receiver.revision),
    updateTime: timeOf(receiver.updateTime),
    updatedBy: receiver.updatedBy,
  };
}

function toDeliveryView(delivery: Delivery): operations.DeliveryView {
  const { eventId, state, type, severity, text, clusterId, storageId, backupId, restoreId, rule, trouble } = delivery;
  const named = { clusterId, storageId, backupId, restoreId, rule, trouble };
  return {
    eventId,
    state: nameOf(DELIVERY_STATES, state),
    type,
    severity: nameOf(SEVERITIES, severity),
    text,
    ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== '')),
    eventTime: timeOf(delivery.eventTime),
    tries: delivery.tries,
    ...(delivery.nextTryTime && { nextTryTime: timeOf(delivery.nextTryTime) }),
    ...(delivery.endTime && { endTime: timeOf(delivery.endTime) }),
  };
}
