/** The text of a notification by the template of its receiver (https://mustache.github.io). */
import { MAX_NOTIFICATION_TEXT } from '@tidemark/limits/limits';
import Mustache from 'mustache';
import type { NotificationEvent } from './decide/event.ts';
import { plainText, titleOf } from './decide/message.ts';

/** The text, and why the template did not make it, where it did not. */
export interface Rendered {
  readonly text: string;
  readonly trouble?: string;
}

/** What is wrong with a template, in the words of Mustache; undefined where nothing is. */
export function templateTrouble(template: string): string | undefined {
  try {
    new Mustache.Writer().parse(template);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * The text of an event. Where the template is empty, fails, or makes nothing of the event, it is the plain one.
 *
 * @param escaped is applied to each value, and to the whole of a plain text
 */
export function renderText(
  template: string,
  event: NotificationEvent,
  escaped: (text: string) => string = (text) => text,
): Rendered {
  const plain = { text: escaped(plainText(event)) };
  if (template === '') return plain;
  try {
    // A writer of its own keeps no template that was only tried.
    const writer = new Mustache.Writer();
    const text = writer.render(template, viewOf(event), {}, { escape: (value) => escaped(String(value)) });
    if (text.trim() === '') return { ...plain, trouble: 'The template makes an empty text of it.' };
    return { text: text.slice(0, MAX_NOTIFICATION_TEXT) };
  } catch (error) {
    return { ...plain, trouble: `The template fails: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Without a prototype, so that a template finds nothing but this. */
function viewOf(event: NotificationEvent): object {
  const { text, topic, type, severity, clusterId, storageId, backupId, restoreId, rule, code, at, labels, ended } =
    event;
  const isOver = ended !== undefined && severity === 'info';
  const about = { cluster: clusterId, storage: storageId, backup: backupId, restore: restoreId, rule, code };
  const told = { title: titleOf(event), text, topic, type, severity, isOver, at: at.toISOString(), ...about };
  return bare({ ...told, labels: bare(Object.fromEntries(labels)) });
}

const bare = (fields: object): object => Object.assign(Object.create(null), fields);
