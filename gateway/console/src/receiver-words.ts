/** What receivers of notifications are called, and what became of what they were sent. Pure. */
import {
  DeliveryState,
  NotificationSeverity,
  NotificationTopic,
  type Receiver,
  ReceiverKind,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import type { Word } from './words.ts';

export const KINDS: ReadonlyMap<ReceiverKind, string> = new Map([
  [ReceiverKind.WEBHOOK, 'Webhook'],
  [ReceiverKind.SLACK, 'Slack'],
  [ReceiverKind.MAIL, 'Mail'],
  [ReceiverKind.HEARTBEAT, 'Heartbeat'],
]);

export const SEVERITIES: ReadonlyMap<NotificationSeverity, Word> = new Map<NotificationSeverity, Word>([
  [NotificationSeverity.INFO, { name: 'info', text: 'Info', tone: 'calm' }],
  [NotificationSeverity.WARNING, { name: 'warning', text: 'Warning', tone: 'warn' }],
  [NotificationSeverity.CRITICAL, { name: 'critical', text: 'Critical', tone: 'bad' }],
]);

export const DELIVERY_STATES: ReadonlyMap<DeliveryState, Word> = new Map<DeliveryState, Word>([
  [DeliveryState.WAITING, { name: 'waiting', text: 'Waits', tone: 'busy' }],
  [DeliveryState.DELIVERED, { name: 'delivered', text: 'Delivered', tone: 'good' }],
  [DeliveryState.GIVEN_UP, { name: 'givenUp', text: 'Given up', tone: 'bad' }],
  [DeliveryState.DROPPED, { name: 'dropped', text: 'Dropped', tone: 'calm' }],
]);

const TOPICS: ReadonlyMap<NotificationTopic, string> = new Map([
  [NotificationTopic.BACKUP, 'backups that fail'],
  [NotificationTopic.WINDOW, 'windows that are missed'],
  [NotificationTopic.PROMISE, 'clusters that are late'],
  [NotificationTopic.REMOVAL, 'removals that fail'],
  [NotificationTopic.DAMAGE, 'damaged backups'],
  [NotificationTopic.STORAGE, 'storages out of reach'],
  [NotificationTopic.LOG, 'alarms of log backups'],
  [NotificationTopic.RESTORE, 'restores that ended'],
]);

/** What it is told of. */
export function topicsOf({ kind, topics }: Pick<Receiver, 'kind' | 'topics'>): string {
  if (kind === ReceiverKind.HEARTBEAT) return 'nothing: a beat while all is well';
  return topics.length === 0
    ? 'everything'
    : topics.map((topic) => TOPICS.get(topic) ?? 'what is not known').join(', ');
}

/** Which clusters it is for. */
export function clustersOf({ selector }: Pick<Receiver, 'selector'>): string {
  const labels = Object.entries(selector).map(([label, value]) => `${label}=${value}`);
  return labels.length === 0 ? 'all' : labels.sort().join(', ');
}

/** Where it is, as far as that is no secret. */
export function whereOf({ url, mail, secrets }: Pick<Receiver, 'url' | 'mail' | 'secrets'>): string {
  if (mail) return `${mail.to.join(', ')} over ${mail.host}:${mail.port}`;
  if (url !== '') return url;
  const { case: kind, value = '' } = secrets?.source ?? {};
  return kind === 'file' ? `WEBHOOK_URL of ${value}` : `${value}WEBHOOK_URL`;
}
