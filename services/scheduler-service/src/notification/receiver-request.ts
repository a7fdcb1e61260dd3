/** What a receiver that somebody saves must be. */
import { isAbsolute } from 'node:path';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_MAIL_ADDRESSES, MAX_PATH, MAX_SELECTOR, MAX_SHORT_TEXT, MAX_TEMPLATE } from '@tidemark/limits/limits';
import type {
  DigestTime as DigestMessage,
  MailServer as MailMessage,
  Receiver as ReceiverMessage,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import { isTimeZone } from '@tidemark/schedule/time-zone';
import { TOPICS } from './decide/event.ts';
import type { MailServer, Receiver, ReceiverKind, SecretsSource } from './decide/receiver.ts';
import { KINDS, nameOf, SECURITIES, SEVERITY_MESSAGES, TOPIC_MESSAGES } from './receiver-message.ts';
import { templateTrouble } from './template.ts';

/** What of a receiver people say. */
export type Asked = Omit<Receiver, '_id' | 'createTime' | 'updateTime' | 'updatedBy' | 'revision' | 'savedIn'>;

const ADDRESS = /^[^\s\p{Cc}@<>,;:"()[\]\\]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/u;
const HOST = /^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[?[0-9A-Fa-f:.]+\]?)$/;
const PREFIX = /^[A-Z][A-Z0-9_]{0,62}_$/;
const NO_SECRET = 'must be left out: name it by secrets, and never send one here';
/** Prefixes by which a receiver would name settings of Tidemark itself. */
const OWN_PREFIX = /^TIDEMARK_/;

/** The receiver that a message asks for. @throws AppError `invalid_argument` naming every bad field */
export function toAsked(receiver: ReceiverMessage): Asked {
  const violations: FieldViolation[] = [];
  const must = (fine: boolean, field: string, description: string) => {
    if (!fine) violations.push({ field, description });
  };
  const kind = nameOf(KINDS, receiver.kind);
  must(kind !== undefined, 'kind', `must be one of ${Object.keys(KINDS).join(', ')}`);
  const secrets = toSecrets(receiver, must);
  const selector = Object.entries(receiver.selector).sort(([one], [other]) => (one < other ? -1 : 1));
  must(
    selector.length <= MAX_SELECTOR &&
      selector.every(([label, value]) => label !== '' && isShort(label) && isShort(value)),
    'selector',
    `must be at most ${MAX_SELECTOR} labels and their values, of at most ${MAX_SHORT_TEXT} characters`,
  );
  const topics = TOPICS.filter((topic) => receiver.topics.includes(TOPIC_MESSAGES[topic]));
  must(
    receiver.topics.every((topic) => nameOf(TOPIC_MESSAGES, topic) !== undefined),
    'topics',
    `must be some of ${TOPICS.join(', ')}`,
  );
  const trouble = receiver.template.length > MAX_TEMPLATE ? undefined : templateTrouble(receiver.template);
  must(
    trouble === undefined,
    'template',
    `must be a template in Mustache: ${(trouble ?? '').slice(0, MAX_SHORT_TEXT)}`,
  );
  if (receiver.digest) requireDigest(receiver.digest, must);
  if (kind) requireOfKind(kind, receiver, secrets, must);
  if (violations.length > 0) throw invalidArgument(violations);
  return {
    kind: kind ?? 'webhook',
    paused: receiver.paused,
    selector,
    leastSeverity: nameOf(SEVERITY_MESSAGES, receiver.leastSeverity) ?? 'info',
    topics,
    template: receiver.template,
    digest: receiver.digest ? { ...receiver.digest } : null,
    url: receiver.url,
    mail: receiver.mail ? toMail(receiver.mail) : null,
    secrets: secrets ?? null,
    everySeconds: receiver.everySeconds,
  };
}

/** Hears whether a field is fine. */
export type Must = (fine: boolean, field: string, description: string) => void;

const isShort = (text: string) => text.length <= MAX_SHORT_TEXT && !/\p{Cc}/u.test(text);

/** The secrets that a message names. */
export function toSecrets({ secrets }: Pick<ReceiverMessage, 'secrets'>, must: Must): SecretsSource | undefined {
  const source = secrets?.source;
  if (!secrets) return undefined;
  if (source?.$case === 'envPrefix') {
    must(
      PREFIX.test(source.value) && !OWN_PREFIX.test(source.value),
      'secrets.envPrefix',
      'must be capital letters, digits and _ with _ at its end, such as OPS_, and not TIDEMARK_',
    );
    return { kind: 'envPrefix', prefix: source.value };
  }
  if (source?.$case === 'file') {
    const { value } = source;
    must(
      isAbsolute(value) && value.length <= MAX_PATH && !/\p{Cc}/u.test(value),
      'secrets.file',
      'must be the absolute name of a file beside scheduler-service',
    );
    return { kind: 'file', file: value };
  }
  must(
    false,
    'secrets',
    'must be {"envPrefix": "OPS_"} or {"file": "/path/beside/the/scheduler"}, and never a secret itself',
  );
  return undefined;
}

function requireDigest({ timeZone }: DigestMessage, must: Must): void {
  must(isTimeZone(timeZone), 'digest.timeZone', 'must be the IANA name of a time zone, such as Europe/Berlin');
}

function requireOfKind(
  kind: ReceiverKind,
  { url, mail, digest, template, topics, everySeconds }: ReceiverMessage,
  secrets: SecretsSource | undefined,
  must: Must,
): void {
  const isHeartbeat = kind === 'heartbeat';
  must(
    (mail !== undefined) === (kind === 'mail'),
    'mail',
    kind === 'mail' ? 'must be set' : 'must be left out: it is for the kind mail',
  );
  if (mail && kind === 'mail') requireMail(mail, must);
  if (kind === 'slack' || kind === 'mail')
    must(url === '', 'url', kind === 'slack' ? NO_SECRET : 'must be left out of the kind mail');
  else if (url !== '') requireUrl(url, must);
  if (kind === 'slack' || kind === 'webhook')
    must(secrets !== undefined, 'secrets', 'must name the secrets, such as {"envPrefix":"OPS_"}');
  if (isHeartbeat) must(url !== '' || secrets !== undefined, 'url', 'must be set, or be WEBHOOK_URL of its secrets');
  must(
    isHeartbeat === everySeconds > 0,
    'everySeconds',
    isHeartbeat ? 'must be set, such as 60' : 'must be left out: it is for the kind heartbeat',
  );
  if (isHeartbeat) {
    must(digest === undefined, 'digest', 'must be left out of a heartbeat');
    must(template === '', 'template', 'must be left out of a heartbeat');
    must(topics.length === 0, 'topics', 'must be left out of a heartbeat, which gets no events');
  }
}

/** Looks whether an address is one that is no secret. */
export function requireUrl(url: string, must: Must): void {
  const parsed = URL.parse(url);
  const isHttp = parsed !== null && ['http:', 'https:'].includes(parsed.protocol);
  must(isHttp, 'url', 'must be an address such as https://hooks.example.com/tidemark');
  if (parsed)
    must(
      parsed.username === '' && parsed.password === '' && parsed.search === '' && parsed.hash === '',
      'url',
      'must have no user, password or query in it: an address that is secret is WEBHOOK_URL of its secrets',
    );
}

function requireMail({ host, from, to, port }: MailMessage, must: Must): void {
  must(HOST.test(host), 'mail.host', 'must be the name or address of a mail server, such as smtp.example.com');
  must(port > 0, 'mail.port', 'must be set, such as 587');
  must(ADDRESS.test(from), 'mail.from', 'must be an address such as tidemark@example.com');
  must(
    to.length > 0 && to.length <= MAX_MAIL_ADDRESSES && to.every((one) => ADDRESS.test(one)),
    'mail.to',
    `must be 1 to ${MAX_MAIL_ADDRESSES} addresses such as ops@example.com`,
  );
}

function toMail({ host, port, from, to, security }: MailMessage): MailServer {
  return { host, port, from, to: [...new Set(to)], security: nameOf(SECURITIES, security) ?? 'starttls' };
}
