/** One try to hand an event to a receiver. What goes wrong is told in a sentence without any secret, address or word of the other side. */
import { MAX_DELIVERY_TROUBLE } from '@tidemark/limits/limits';
import type { Env } from '@tidemark/service-kit/env';
import type { Network } from './addresses.ts';
import type { Outcome } from './decide/delivery.ts';
import type { NotificationEvent } from './decide/event.ts';
import { escapedForSlack, titleOf, toCloudEvent } from './decide/message.ts';
import type { Receiver } from './decide/receiver.ts';
import { type Post, post } from './http-post.ts';
import { sendMail } from './mail.ts';
import { readSecrets, requireSecret, type Secrets } from './secrets.ts';
import { NotTaken, troubleOf } from './send-trouble.ts';
import { type Rendered, renderText } from './template.ts';
import { signerOf, webhookUrl } from './webhook-secrets.ts';

export interface SendDependencies {
  /** Local and private networks that may be sent to. */
  readonly networks: readonly Network[];
  /** Of this process: where secrets are. */
  readonly env: Env;
  /** What stands in CloudEvents as their source. */
  readonly source: string;
  readonly now: () => Date;
  /** Hears of a template that failed. */
  readonly onTemplateTrouble: (receiverId: string, trouble: string) => void;
}

/** A third of the lease of a delivery. */
const SEND_MS = 20_000;

/** Tries once; it ends in 20 s. @throws the reason of the signal where that aborts */
export async function send(
  receiver: Receiver,
  event: NotificationEvent,
  dependencies: SendDependencies,
  signal: AbortSignal,
): Promise<Outcome> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(SEND_MS)]);
  try {
    const secrets = await readSecrets(receiver.secrets, dependencies.env, within);
    if (receiver.kind === 'mail') return await mail(receiver, event, secrets, dependencies, within);
    await postTo(receiver, event, secrets, dependencies, within);
    return { kind: 'delivered' };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'failed', trouble: troubleOf(error, within, SEND_MS).slice(0, MAX_DELIVERY_TROUBLE) };
  }
}

async function postTo(
  receiver: Receiver,
  event: NotificationEvent,
  secrets: Secrets,
  dependencies: SendDependencies,
  signal: AbortSignal,
): Promise<void> {
  const url = webhookUrl(receiver, secrets);
  const status = await post(
    { url, ...contentOf(receiver, event, secrets, dependencies) },
    dependencies.networks,
    signal,
  );
  if (status >= 200 && status < 300) return;
  const isRedirect = status >= 300 && status < 400;
  throw new NotTaken(`It answered ${status}${isRedirect ? ', and redirects are not followed' : ''}.`);
}

function contentOf(
  receiver: Receiver,
  event: NotificationEvent,
  secrets: Secrets,
  { source, now, ...dependencies }: SendDependencies,
): Omit<Post, 'url'> {
  const { kind, template } = receiver;
  // Whoever waits for it looks at nothing but that it comes.
  if (kind === 'heartbeat') return { headers: {}, body: '' };
  if (kind === 'slack') {
    const text = told(receiver, renderText(template, event, escapedForSlack), dependencies);
    return { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ text }) };
  }
  const text = template === '' ? event.text : told(receiver, renderText(template, event), dependencies);
  const body = toCloudEvent({ ...event, text }, source);
  const at = now();
  const signature = signerOf(requireSecret(secrets, 'WEBHOOK_SECRET', receiver.secrets)).sign(event.id, at, body);
  return {
    headers: {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'webhook-id': event.id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': signature,
    },
    body,
  };
}

async function mail(
  receiver: Receiver,
  event: NotificationEvent,
  secrets: Secrets,
  dependencies: SendDependencies,
  signal: AbortSignal,
): Promise<Outcome> {
  const { mail: server, secrets: source, template } = receiver;
  if (!server) throw new NotTaken('It has no mail server.');
  const user = secrets.SMTP_USER;
  const login = user === undefined ? undefined : { user, password: requireSecret(secrets, 'SMTP_PASSWORD', source) };
  const domain = server.from.slice(server.from.lastIndexOf('@') + 1).replace(/[^\w.-]/g, '');
  const text = told(receiver, renderText(template, event), dependencies);
  const message = { subject: titleOf(event), text, messageId: `<${event.id}@${domain}>` };
  const refused = await sendMail(server, message, login, dependencies.networks, signal);
  if (refused === 0) return { kind: 'delivered' };
  return { kind: 'delivered', trouble: `The mail server refused ${refused} of ${server.to.length} addresses.` };
}

function told(
  { _id }: Receiver,
  { text, trouble }: Rendered,
  { onTemplateTrouble }: Pick<SendDependencies, 'onTemplateTrouble'>,
) {
  if (trouble !== undefined) onTemplateTrouble(_id, trouble);
  return text;
}
