/** Who is notified of what. */
import { hasLabels } from '@tidemark/service-kit/label-selector';
import { isAtLeast, type NotificationEvent, type Severity, type Topic } from './event.ts';

export type ReceiverKind = 'webhook' | 'slack' | 'mail' | 'heartbeat';

/** Where its secrets are: the scheduler's variables of a prefix, or a file there. The secrets themselves are never stored. */
export type SecretsSource =
  | { readonly kind: 'envPrefix'; readonly prefix: string }
  | { readonly kind: 'file'; readonly file: string };

/** How the way to a mail server is encrypted: from the first byte, after STARTTLS, or not at all. */
export type MailSecurity = 'tls' | 'starttls' | 'none';

export interface MailServer {
  readonly host: string;
  readonly port: number;
  readonly security: MailSecurity;
  readonly from: string;
  readonly to: readonly string[];
}

/** A digest each day, at this hour of this zone. */
export interface DigestTime {
  readonly hour: number;
  readonly timeZone: string;
}

/** A receiver as it is stored. */
export interface Receiver {
  readonly _id: string;
  readonly kind: ReceiverKind;
  readonly paused: boolean;
  /** All of them must be there, on the cluster that it is about; none chooses everything. */
  readonly selector: readonly (readonly [label: string, value: string])[];
  readonly leastSeverity: Severity;
  /** None means all. */
  readonly topics: readonly Topic[];
  /** Of the text, in Mustache; empty means the plain sentence. */
  readonly template: string;
  readonly digest: DigestTime | null;
  /** Of a webhook or heartbeat whose address is no secret; else it is among the secrets. */
  readonly url: string;
  readonly mail: MailServer | null;
  readonly secrets: SecretsSource | null;
  /** Seconds between two beats of a heartbeat; 0 for the other kinds. */
  readonly everySeconds: number;
  readonly createTime: Date;
  readonly updateTime: Date;
  readonly updatedBy: string;
  readonly revision: number;
  /** The call that saved it, by which its repeat is known. */
  readonly savedIn: string;
}

/** Whether an event of a condition or a restore is for a receiver. */
export function wants(
  { kind, paused, selector, leastSeverity, topics }: Receiver,
  { topic, severity, ended, labels }: NotificationEvent,
): boolean {
  if (paused || kind === 'heartbeat' || topic === 'digest' || topic === 'test') return false;
  if (topics.length > 0 && !topics.includes(topic)) return false;
  const isUrgent = isAtLeast(severity, leastSeverity) || (ended !== undefined && isAtLeast(ended, leastSeverity));
  return isUrgent && isAbout(selector, { topic, labels });
}

/**
 * Whether something is about what a selector chooses. A storage is everybody's: which cluster meets it first when it is away, and which is the last
 * to wait for it, says nothing of the others.
 */
export function isAbout(
  selector: Receiver['selector'],
  { topic, labels }: Pick<NotificationEvent, 'topic' | 'labels'>,
): boolean {
  return topic === 'storage' || chooses(selector, labels);
}

/** Whether all of the labels that are selected by are there. */
export function chooses(selector: Receiver['selector'], labels: NotificationEvent['labels']): boolean {
  return hasLabels(Object.fromEntries(labels), Object.fromEntries(selector));
}
