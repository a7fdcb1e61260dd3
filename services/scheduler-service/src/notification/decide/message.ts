/** An event in the forms in which receivers get it. */
import { createHash } from 'node:crypto';
import { MAX_NOTIFICATION_TEXT, MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import { type NotificationEvent, newEvent, SEVERITIES } from './event.ts';

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

/** What people can read one by one. */
const FEW = 5;

/** Whether so many that are due at once are sent to people as one text. */
export function areMany(count: number): boolean {
  return count > FEW;
}

/**
 * Many events as one, for people: a line for each, the most urgent first, and all lines of a digest.
 *
 * @param events at least one
 */
export function together(events: readonly NotificationEvent[]): NotificationEvent {
  const [first, ...others] = [...events].sort(
    (one, other) => SEVERITIES.indexOf(other.severity) - SEVERITIES.indexOf(one.severity) || +one.at - +other.at,
  );
  if (!first) throw new Error('there is no event');
  const lines = [first, ...others].flatMap((event) => [`- ${titleOf(event)}`, ...linesBehind(event)]);
  const { severity, at } = first;
  // The same for the same events; a receiver that drops repeats must not drop others with them.
  const ids = events.map(({ id }) => id).sort();
  const id = `together.${createHash('sha256').update(ids.join(' ')).digest('hex').slice(0, 32)}`;
  const text = [`${events.length} notifications at once`, ...lines].join('\n');
  return newEvent({ id, type: 'together', topic: first.topic, severity, at, text }, {});
}

/** What a title leaves out of a digest. */
function linesBehind({ topic, text }: NotificationEvent): string[] {
  return topic === 'digest'
    ? text
        .split('\n')
        .slice(1)
        .map((line) => `  ${line}`)
    : [];
}
