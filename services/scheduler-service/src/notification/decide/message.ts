/** An event in the forms in which receivers get it. */
import { MAX_NOTIFICATION_TEXT, MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import type { NotificationEvent } from './event.ts';

/** What stands in every CloudEvent of Tidemark as its source, unless a setting says otherwise. */
export const DEFAULT_SOURCE = '/tidemark';

/** The event as a CloudEvent 1.0 in JSON. */
export function toCloudEvent(event: NotificationEvent, source: string): string {
  const { id, type, topic, severity, ended, at, text, labels, ...about } = event;
  const named = Object.entries(about).filter(([, value]) => value !== '');
  const subject = about.clusterId || about.storageId;
  return JSON.stringify({
    specversion: '1.0',
    id,
    source,
    type: `tidemark.${type}.v1`,
    ...(subject !== '' && { subject }),
    time: at.toISOString(),
    datacontenttype: 'application/json',
    data: {
      topic,
      severity,
      ...(ended && { ended }),
      text,
      ...Object.fromEntries(named),
      labels: Object.fromEntries(labels),
    },
  });
}

/** What Slack takes for its own begins with one of these. */
export function escapedForSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const MARKS = { info: 'Tidemark', warning: 'Tidemark warning', critical: 'Tidemark CRITICAL' } as const;

/** One line: what a mail is called, and what a text begins with. */
export function titleOf({ severity, ended, text, topic }: NotificationEvent): string {
  const mark =
    ended && severity === 'info' ? 'Tidemark, over' : topic === 'digest' ? 'Tidemark digest' : MARKS[severity];
  const [first = ''] = text.split('\n');
  // A line break in a name ends no header.
  return `${mark}: ${first}`.replaceAll(/\p{Cc}/gu, ' ').slice(0, MAX_SHORT_TEXT);
}

/** For people, where no template says otherwise. */
export function plainText(event: NotificationEvent): string {
  const { labels, clusterId, storageId, backupId, restoreId, rule, code, at, text } = event;
  const about = { cluster: clusterId, storage: storageId, rule, backup: backupId, restore: restoreId, reason: code };
  const lines = Object.entries(about).flatMap(([name, value]) => (value === '' ? [] : [`${name}: ${value}`]));
  const told = labels.map(([label, value]) => `${label}=${value}`).join(', ');
  return [
    titleOf(event),
    ...(text.includes('\n') ? ['', text] : []),
    '',
    ...lines,
    ...(told === '' ? [] : [`labels: ${told}`]),
    `at: ${at.toISOString()}`,
  ]
    .join('\n')
    .slice(0, MAX_NOTIFICATION_TEXT);
}
