import {
  MailSecurity,
  NotificationSeverity,
  NotificationTopic,
  Receiver,
  ReceiverKind,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import { describe, expect, it } from 'vitest';
import { toAsked } from './receiver-request.ts';

const SECRETS = { source: { $case: 'envPrefix', value: 'OPS_' } } as const;
const webhook = (fields: Partial<Receiver> = {}) =>
  Receiver.create({
    ...{ id: 'ops', kind: ReceiverKind.RECEIVER_KIND_WEBHOOK, url: 'https://hooks.example.com/a', secrets: SECRETS },
    ...fields,
  } as Partial<Receiver>);
const MAIL = {
  ...{ host: 'smtp.example.com', port: 587, security: MailSecurity.MAIL_SECURITY_UNSPECIFIED },
  ...{ from: 'tidemark@example.com', to: ['ops@example.com', 'ops@example.com'] },
};
const mail = (fields: object = {}) =>
  webhook({ kind: ReceiverKind.RECEIVER_KIND_MAIL, url: '', secrets: undefined, mail: { ...MAIL, ...fields } });

/** The fields that are refused. */
function refused(receiver: Receiver): string[] {
  try {
    toAsked(receiver);
    return [];
  } catch (error) {
    const { details } = error as { readonly details: { readonly fields: readonly { readonly field: string }[] } };
    return details.fields.map(({ field }) => field);
  }
}

it('takes a receiver whole, and what is left out as by default', () => {
  expect(
    toAsked(webhook({ selector: { env: 'prod' }, topics: [NotificationTopic.NOTIFICATION_TOPIC_DAMAGE] })),
  ).toEqual({
    ...{ kind: 'webhook', paused: false, selector: [['env', 'prod']], leastSeverity: 'info', topics: ['damage'] },
    ...{ template: '', digest: null, url: 'https://hooks.example.com/a', mail: null, everySeconds: 0 },
    secrets: { kind: 'envPrefix', prefix: 'OPS_' },
  });
  const severe = webhook({ leastSeverity: NotificationSeverity.NOTIFICATION_SEVERITY_CRITICAL });
  expect(toAsked(severe).leastSeverity).toBe('critical');
  expect(toAsked(mail()).mail).toMatchObject({ security: 'starttls', to: ['ops@example.com'] });
});

describe('refuses', () => {
  it.each<readonly [string, string, Receiver]>([
    ['no kind', 'kind', webhook({ kind: ReceiverKind.RECEIVER_KIND_UNSPECIFIED })],
    ['a template that is none', 'template', webhook({ template: '{{#open}}' })],
    ['a topic that nobody asks for', 'topics', webhook({ topics: [NotificationTopic.NOTIFICATION_TOPIC_TEST] })],
    ['a label without a name', 'selector', webhook({ selector: { '': 'x' } })],
    ['no time zone', 'digest.timeZone', webhook({ digest: { hour: 8, timeZone: '+01:00' } })],
    ['a webhook without secrets', 'secrets', webhook({ secrets: undefined })],
    ['an address of no web', 'url', webhook({ url: 'ftp://example.com/' })],
    ['a password in an address', 'url', webhook({ url: 'https://user:secret@example.com/' })],
    ['what may be a token in an address', 'url', webhook({ url: 'https://example.com/?token=secret' })],
    ['the address of Slack', 'url', webhook({ kind: ReceiverKind.RECEIVER_KIND_SLACK })],
    ['a mail server of a webhook', 'mail', webhook({ mail: MAIL })],
    ['mail without a server', 'mail', webhook({ kind: ReceiverKind.RECEIVER_KIND_MAIL, url: '' })],
    ['a mail server that is none', 'mail.host', mail({ host: 'smtp example' })],
    ['a mail server without a port', 'mail.port', mail({ port: 0 })],
    ['a sender that is more than an address', 'mail.from', mail({ from: 'a@example.com\r\nBcc: b@example.com' })],
    ['nobody to write to', 'mail.to', mail({ to: [] })],
    ['a heartbeat without its interval', 'everySeconds', webhook({ kind: ReceiverKind.RECEIVER_KIND_HEARTBEAT })],
    ['an interval of a webhook', 'everySeconds', webhook({ everySeconds: 60 })],
    ['settings of Tidemark as secrets', 'secrets.envPrefix', webhook({ secrets: prefix('TIDEMARK_') })],
    ['a prefix that is none', 'secrets.envPrefix', webhook({ secrets: prefix('ops') })],
    [
      'a file without its folder',
      'secrets.file',
      webhook({ secrets: { source: { $case: 'file', value: 'ops.env' } } }),
    ],
    ['secrets that are named nowhere', 'secrets', webhook({ secrets: { source: undefined } })],
  ])('%s', (_, field, receiver) => {
    expect(refused(receiver)).toContain(field);
  });

  it('all of it at once, and says nothing of what was sent as an address', () => {
    const bad = webhook({ url: 'https://user:secret@example.com/', template: '{{/x}}', everySeconds: 60 });
    expect(refused(bad)).toEqual(['template', 'url', 'everySeconds']);
    expect(() => toAsked(bad)).not.toThrow('secret@');
  });
});

function prefix(value: string) {
  return { source: { $case: 'envPrefix' as const, value } };
}
