/** What people are notified of. */
import { MAX_NOTIFICATION_TEXT } from '@tidemark/limits/limits';

/** From the least to the most urgent. */
export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What can be bad about a cluster or a storage, and is told once when it becomes so and once when it is over. */
export const CONDITIONS = ['backup', 'window', 'promise', 'removal', 'damage', 'storage', 'log'] as const;
export type Condition = (typeof CONDITIONS)[number];

/** What a receiver chooses from: the conditions, and restores that ended. */
export const TOPICS = [...CONDITIONS, 'restore'] as const;
export type Topic = (typeof TOPICS)[number];

/** One thing that happened, as it is handed to every receiver, whichever form that wants. Its id is the same at each of them, and at each try. */
export interface NotificationEvent {
  readonly id: string;
  /** Such as `backup.failed`; it is part of the type of the CloudEvent. */
  readonly type: string;
  /** `test` and `digest` go to the one receiver that they are for. */
  readonly topic: Topic | 'digest' | 'test';
  readonly severity: Severity;
  /** The severity of what is over, where this says that it is: whoever heard of the one hears of the other. */
  readonly ended?: Severity;
  readonly at: Date;
  /** For people: one sentence, or more lines in a digest. */
  readonly text: string;
  /** What the clusters of receivers are chosen by: of the cluster, or of the one that met the storage. Pairs, for the names of labels are no names of fields. */
  readonly labels: readonly (readonly [label: string, value: string])[];
  /** Empty where it is about none; so are the others. */
  readonly clusterId: string;
  readonly storageId: string;
  readonly backupId: string;
  readonly restoreId: string;
  readonly rule: string;
  /** The reason as a constant, such as CLUSTER_BUSY. */
  readonly code: string;
}

/** What the facts say of an event; what nobody says is empty. */
export type About = Partial<
  Pick<NotificationEvent, 'labels' | 'clusterId' | 'storageId' | 'backupId' | 'restoreId' | 'rule' | 'code'>
>;

/** An event with what is known of it; a text that is too long is cut. */
export function newEvent(
  event: Pick<NotificationEvent, 'id' | 'type' | 'topic' | 'severity' | 'at' | 'text'> & {
    readonly ended?: Severity;
  },
  about: About,
): NotificationEvent {
  const nothing = { labels: [], clusterId: '', storageId: '', backupId: '', restoreId: '', rule: '', code: '' };
  return { ...nothing, ...about, ...event, text: event.text.slice(0, MAX_NOTIFICATION_TEXT) };
}

/** Whether `one` is at least as urgent as `least`. */
export function isAtLeast(one: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(one) >= SEVERITIES.indexOf(least);
}
