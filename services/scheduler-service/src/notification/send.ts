/** One try to hand an event to a receiver. What goes wrong is told in a sentence without any secret, address or word of the other side. */
import { MAX_DELIVERY_TROUBLE } from '@tidemark/limits/limits';
import type { Env } from '@tidemark/service-kit/env';
import { Webhook } from 'standardwebhooks';
import { type Network, NoAddress } from './addresses.ts';
import type { Outcome } from './decide/delivery.ts';
import type { NotificationEvent } from './decide/event.ts';
import { escapedForSlack, titleOf, toCloudEvent } from './decide/message.ts';
import type { Receiver } from './decide/receiver.ts';
import { type Post, post } from './http-post.ts';
import { sendMail } from './mail.ts';
import { readSecrets, requireSecret, type Secrets, SecretsTrouble } from './secrets.ts';
import { type Rendered, renderText } from './template.ts';

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

/** It was answered, and not taken. */
class NotTaken extends Error {
  override name = 'NotTaken';
}

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
    return { kind: 'failed', trouble: troubleOf(error, within).slice(0, MAX_DELIVERY_TROUBLE) };
  }
}

async function postTo(
  receiver: Receiver,
  event: NotificationEvent,
  secrets: Secrets,
  dependencies: SendDependencies,
  signal: AbortSignal,
): Promise<void> {
  const url = urlOf(receiver, secrets);
  const status = await post(
    { url, ...contentOf(receiver, event, secrets, dependencies) },
    dependencies.networks,
    signal,
  );
  if (status >= 200 && status < 300) return;
  const isRedirect = status >= 300 && status < 400;
  throw new NotTaken(`It answered ${status}${isRedirect ? ', and redirects are not followed' : ''}.`);
}

function urlOf({ url, secrets: source }: Receiver, secrets: Secrets): URL {
  const text = url === '' ? requireSecret(secrets, 'WEBHOOK_URL', source) : url;
  const parsed = URL.parse(text);
  if (parsed && ['http:', 'https:'].includes(parsed.protocol)) return parsed;
  throw new SecretsTrouble('Its WEBHOOK_URL is no address that begins with http:// or https://.');
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

/** As the library reads it, which takes any length. */
const WEBHOOK_SECRET = /^(?:whsec_)?(?<key>[A-Za-z0-9+/]+={0,2})$/;

function signerOf(secret: string): Webhook {
  const { key = '' } = WEBHOOK_SECRET.exec(secret)?.groups ?? {};
  const { length } = Buffer.from(key, 'base64');
  if (length >= 24 && length <= 64) return new Webhook(key);
  throw new SecretsTrouble('Its WEBHOOK_SECRET is none of Standard Webhooks: whsec_ and 24 to 64 bytes in base64.');
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

/** Codes of Node and nodemailer that say in themselves what was wrong. */
const KINDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'It refused the connection.',
  ECONNRESET: 'It broke the connection off.',
  EPIPE: 'It broke the connection off.',
  ETIMEDOUT: 'It could not be reached in time.',
  EHOSTUNREACH: 'It cannot be reached.',
  ENETUNREACH: 'It cannot be reached.',
  EAUTH: 'The mail server refused the user or the password.',
  EENVELOPE: 'The mail server refused the sender or all of the addresses.',
  EMESSAGE: 'The mail server refused the mail.',
  ETLS: 'The mail server offers no STARTTLS that could be used.',
  // That of a certificate, too: nodemailer writes its own over that of Node.
  ESOCKET: 'The connection to the mail server failed, or its certificate was not accepted.',
};

/** For people, without what the other side said. */
function troubleOf(error: unknown, within: AbortSignal): string {
  if (within.aborted) return `It did not answer within ${SEND_MS / 1_000} s.`;
  if (error instanceof NoAddress || error instanceof SecretsTrouble || error instanceof NotTaken) return error.message;
  const { code, responseCode } = error as { readonly code?: unknown; readonly responseCode?: unknown };
  if (typeof code !== 'string') return 'It could not be sent.';
  if (/CERT|TLS|SSL|SELF_SIGNED|VERIFY/.test(code) && !KINDS[code])
    return `Its certificate was not accepted (${code}).`;
  const status = typeof responseCode === 'number' ? ` (${responseCode})` : '';
  return `${KINDS[code] ?? `It could not be sent (${code}).`}${status}`;
}
