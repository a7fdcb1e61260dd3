import { rulesOf, sentenceOf } from '@tidemark/contract/rules';
import {
  DEFAULT_PAGE_SIZE,
  MAX_MAIL_ADDRESSES,
  MAX_PAGE_SIZE,
  MAX_SELECTOR,
  MAX_SHORT_TEXT,
} from '@tidemark/limits/limits';
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { SaveQuery } from '../save-query.ts';
import { Id, leftOut, leftOutOrFrom1, listOf, wholeNumber } from '../validate.ts';
import { counted, GoesOn, NoData, time } from './common.ts';

export const KIND_NAMES = ['webhook', 'slack', 'mail', 'heartbeat'] as const;
export type KindName = (typeof KIND_NAMES)[number];
export const SEVERITY_NAMES = ['info', 'warning', 'critical'] as const;
export type SeverityName = (typeof SEVERITY_NAMES)[number];
export const TOPIC_NAMES = ['backup', 'window', 'promise', 'removal', 'damage', 'storage', 'log', 'restore'] as const;
export type TopicName = (typeof TOPIC_NAMES)[number];
export const SECURITY_NAMES = ['tls', 'starttls', 'none'] as const;
export type SecurityName = (typeof SECURITY_NAMES)[number];
export const DELIVERY_STATE_NAMES = ['waiting', 'delivered', 'givenUp', 'dropped'] as const;
export type DeliveryStateName = (typeof DELIVERY_STATE_NAMES)[number];

const RECEIVER = 'tidemark.scheduler.v1.Receiver';
const Severity = z
  .enum(SEVERITY_NAMES, `must be one of ${SEVERITY_NAMES.join(', ')}`)
  .meta({ id: 'NotificationSeverity', description: 'How urgent something is.' });
const Security = z
  .enum(SECURITY_NAMES, `must be one of ${SECURITY_NAMES.join(', ')}`)
  .meta({ id: 'MailSecurity', description: 'How the way to a mail server is encrypted.' });

const oneOf = (names: readonly string[]) => `must be one of ${names.join(', ')}`;
const text = (message: string) => z.string(message);
const templateRules = rulesOf(RECEIVER, 'template');
const everyRules = rulesOf(RECEIVER, 'everySeconds');
/** Where the secrets of a webhook or a mail server are. */
export const Secrets = z
  .union(
    [
      z
        .strictObject({ envPrefix: z.string() })
        .meta({ id: 'SecretsInEnvironment', title: 'variables of scheduler-service that begin with a prefix' }),
      z.strictObject({ file: z.string() }).meta({ id: 'SecretsInFile', title: 'a file beside scheduler-service' }),
    ],
    'must be {"envPrefix": "OPS_"} or {"file": "/path/beside/the/scheduler"}, and never a secret itself',
  )
  .meta({ id: 'ReceiverSecrets' });

const FIELDS = [
  ...['kind', 'paused', 'selector', 'leastSeverity', 'topics', 'template', 'digest', 'url', 'mail', 'secrets'],
  'everySeconds',
];
/** What a body says of a receiver. */
export const ReceiverBody = z
  .strictObject(
    {
      kind: z
        .enum(KIND_NAMES, oneOf(KIND_NAMES))
        .describe('In which form it gets events. A `heartbeat` gets none, but a beat while all is well.'),
      paused: leftOut(z.boolean('must be true or false')).describe(
        'Whether it gets nothing; `false` by default. What waits goes on waiting.',
      ),
      selector: z
        .record(
          z.string(),
          text('must be a text, such as "prod"'),
          'must be an object of labels and their values, such as {"env":"prod"}',
        )
        .nullish()
        .describe(
          `Only about clusters with all of these labels, and about storages; at most ${MAX_SELECTOR}, of at most ${MAX_SHORT_TEXT} characters. Left out: about everything.`,
        ),
      leastSeverity: leftOut(Severity).describe(
        '`info` by default. Whoever hears that something is bad hears that it is over.',
      ),
      topics: z
        .array(z.enum(TOPIC_NAMES, oneOf(TOPIC_NAMES)), `must be a list of some of ${TOPIC_NAMES.join(', ')}`)
        .nullish()
        .describe('What about; left out, or none: all.'),
      template: leftOut(text('must be a text').max(templateRules.maxLength, sentenceOf(templateRules))).describe(
        'Of the text, in Mustache, such as `{{title}}`; a plain text by default, and where the template fails.',
      ),
      digest: z
        .strictObject(
          {
            hour: wholeNumber(0, 23),
            timeZone: text('must be the IANA name of a time zone, such as Europe/Berlin'),
          },
          'must be an object such as {"hour":8,"timeZone":"Europe/Berlin"}',
        )
        .nullish()
        .describe('Each day at this hour what stands is told; left out: never.'),
      url: leftOut(text('must be a text')).describe(
        'Of a webhook or heartbeat whose address is no secret; else it is the variable `WEBHOOK_URL` of its secrets.',
      ),
      mail: z
        .strictObject(
          {
            host: text('must be the name of a mail server, such as smtp.example.com'),
            port: wholeNumber(1, 65_535),
            security: leftOut(Security).describe('`starttls` by default; nothing is sent without it.'),
            from: text('must be an address such as tidemark@example.com'),
            to: z.array(
              text('must be an address such as ops@example.com'),
              `must be a list of 1 to ${MAX_MAIL_ADDRESSES} addresses`,
            ),
          },
          'must be an object such as {"host":"smtp.example.com","port":587,"from":"tidemark@example.com","to":["ops@example.com"]}',
        )
        .nullish()
        .describe(`Of the kind mail: the server, and at most ${MAX_MAIL_ADDRESSES} addresses.`),
      secrets: Secrets.nullish().describe(
        'Where scheduler-service finds its secrets: `WEBHOOK_URL`, `WEBHOOK_SECRET`, `SMTP_USER` and `SMTP_PASSWORD` behind a prefix of its variables, or in a file there. Never a secret itself.',
      ),
      everySeconds: leftOut(wholeNumber(everyRules.min, everyRules.max)).describe(
        `Of a heartbeat: the seconds between two beats, from ${everyRules.min} to ${everyRules.max}.`,
      ),
    },
    {
      error: (issue) =>
        issue.code === 'unrecognized_keys'
          ? `is no field of a receiver; there are ${FIELDS.join(', ')}`
          : 'must be an object such as {"kind":"webhook","url":"https://hooks.example.com/","secrets":{"envPrefix":"OPS_"}}',
    },
  )
  .meta({ id: 'ReceiverBody' });

const named = z.string().optional();
/** A receiver in an answer. */
export const Receiver = z
  .object({
    id: z.string(),
    kind: z.enum([...KIND_NAMES, 'unknown']),
    paused: z.boolean(),
    selector: z.record(z.string(), z.string()),
    leastSeverity: z.enum([...SEVERITY_NAMES, 'unknown']),
    topics: z.array(z.enum([...TOPIC_NAMES, 'unknown'])).describe('None: all.'),
    template: named,
    digest: z.object({ hour: z.int(), timeZone: z.string() }).optional(),
    url: named,
    mail: z
      .object({
        host: z.string(),
        port: z.int(),
        security: z.enum([...SECURITY_NAMES, 'unknown']),
        from: z.string(),
        to: z.array(z.string()),
      })
      .optional(),
    secrets: z.object({ envPrefix: named, file: named }).optional().describe('Where its secrets are.'),
    everySeconds: z.int().optional(),
    revision: counted('Grows with every save.'),
    updateTime: time('When it was last saved.'),
    updatedBy: z.string(),
  })
  .meta({ id: 'Receiver', description: 'Who is notified of what.' });
export type ReceiverView = z.infer<typeof Receiver>;

export const ReceiverStatus = z
  .object({
    waiting: counted('Notifications that wait for it.'),
    waitingSince: time('Since when the oldest of them does.').optional(),
    deliveredTime: time('When it last took one, or a beat.').optional(),
    trouble: z.string().optional().describe('Why the last try failed, where none has succeeded since.'),
  })
  .meta({ id: 'ReceiverStatus', description: 'How it is with a receiver.' });

/** A notification and what became of it. */
export const Delivery = z
  .object({
    eventId: z.string().describe('The receiver gets it with each try.'),
    state: z.enum([...DELIVERY_STATE_NAMES, 'unknown']),
    type: z.string().describe('Such as `backup.failed`.'),
    severity: z.enum([...SEVERITY_NAMES, 'unknown']),
    text: z.string(),
    clusterId: named,
    storageId: named,
    backupId: named,
    restoreId: named,
    rule: named,
    eventTime: time('When it happened.'),
    tries: counted('How often it was tried.'),
    trouble: z.string().optional().describe('Why the last try failed.'),
    nextTryTime: time('When it is tried next.').optional(),
    endTime: time('When it was over.').optional(),
  })
  .meta({ id: 'Delivery', description: 'A notification on its way to a receiver, or over.' });
export type DeliveryView = z.infer<typeof Delivery>;

const RECEIVER_EXAMPLE: ReceiverView = {
  id: 'ops',
  kind: 'webhook',
  paused: false,
  selector: { env: 'prod' },
  leastSeverity: 'warning',
  topics: [],
  url: 'https://hooks.example.com/tidemark',
  secrets: { envPrefix: 'OPS_' },
  digest: { hour: 8, timeZone: 'Europe/Berlin' },
  revision: 1,
  updateTime: '2026-01-02T10:00:00.000Z',
  updatedBy: 'ci',
};
const DELIVERY_EXAMPLE: DeliveryView = {
  eventId: '7f6b1c9e-9d2f-4b8e-8a51-3e0f4e1f7c11',
  state: 'delivered',
  type: 'backup.failed',
  severity: 'warning',
  text: 'A backup of orders failed: The storage is full.',
  clusterId: 'orders',
  eventTime: '2026-01-02T10:00:00.000Z',
  tries: 1,
  endTime: '2026-01-02T10:00:01.000Z',
};

const OfReceiver = z.object({ receiverId: Id.meta({ description: 'The receiver.', examples: ['ops'] }) });
const OneReceiver = z.object({ receiver: Receiver }).meta({ id: 'OneReceiver' });

export const listReceivers = {
  id: 'listReceivers',
  tag: 'Notifications',
  call: 'listReceivers',
  summary: 'All receivers of notifications',
  answer: { data: z.object({ receivers: z.array(Receiver) }), example: { receivers: [RECEIVER_EXAMPLE] } },
} as const satisfies Operation;

export const getReceiver = {
  id: 'getReceiver',
  tag: 'Notifications',
  call: 'getReceiver',
  summary: 'One receiver, and how it is with it',
  params: OfReceiver,
  answer: {
    data: z.object({ receiver: Receiver, status: ReceiverStatus }).meta({ id: 'ReceiverWithStatus' }),
    example: { receiver: RECEIVER_EXAMPLE, status: { waiting: 0, deliveredTime: '2026-01-02T10:00:01.000Z' } },
  },
  errors: ['receiver_not_found'],
} as const satisfies Operation;

export const putReceiver = {
  id: 'putReceiver',
  tag: 'Notifications',
  call: 'putReceiver',
  summary: 'Saves a receiver whole',
  description:
    'What the body leaves out is as by default, and a field that is not known is a 400. Whether its secrets are there is found out when something is sent: `POST /notifications/{receiverId}/test` says it.',
  params: OfReceiver,
  query: SaveQuery,
  body: ReceiverBody,
  bodyExamples: {
    'a signed webhook': { kind: 'webhook', url: 'https://hooks.example.com/tidemark', secrets: { envPrefix: 'OPS_' } },
    mail: {
      kind: 'mail',
      mail: { host: 'smtp.example.com', port: 587, from: 'tidemark@example.com', to: ['ops@example.com'] },
      secrets: { envPrefix: 'OPS_' },
      digest: { hour: 8, timeZone: 'Europe/Berlin' },
    },
    "a dead man's switch": { kind: 'heartbeat', secrets: { envPrefix: 'BEAT_' }, everySeconds: 60 },
  },
  answer: { data: OneReceiver, example: { receiver: RECEIVER_EXAMPLE } },
  errors: ['revision_changed', 'conflict'],
} as const satisfies Operation;

export const deleteReceiver = {
  id: 'deleteReceiver',
  tag: 'Notifications',
  call: 'deleteReceiver',
  summary: 'Deletes a receiver',
  description: 'What waits for it is dropped.',
  params: OfReceiver,
  answer: { data: NoData, example: {} },
  errors: ['receiver_not_found', 'conflict'],
} as const satisfies Operation;

export const testReceiver = {
  id: 'testReceiver',
  tag: 'Notifications',
  call: 'testReceiver',
  summary: 'Sends a receiver something once, now',
  description: 'The answer says how that went, also where it failed. It takes up to 20 seconds.',
  params: OfReceiver,
  answer: {
    data: z.object({ delivery: Delivery }).meta({ id: 'OneDelivery' }),
    example: { delivery: { ...DELIVERY_EXAMPLE, type: 'test', severity: 'info', text: 'This is a test.' } },
  },
  errors: ['receiver_not_found', 'conflict'],
} as const satisfies Operation;

export const listDeliveries = {
  id: 'listDeliveries',
  tag: 'Notifications',
  call: 'listDeliveries',
  summary: 'What was and is to be delivered to a receiver, newest first',
  description:
    'What is over is kept for 30 days, unless a setting says otherwise. A page may hold fewer than were asked for, and still have a `pageToken`.',
  params: OfReceiver,
  query: z.object({
    state: listOf(z.enum(DELIVERY_STATE_NAMES, oneOf(DELIVERY_STATE_NAMES))).describe('Only these.'),
    pageSize: leftOutOrFrom1(MAX_PAGE_SIZE).describe(
      `1 to ${MAX_PAGE_SIZE}; ${DEFAULT_PAGE_SIZE} by default. 0 is left out.`,
    ),
    pageToken: GoesOn.pageToken,
  }),
  answer: {
    data: z.object({
      deliveries: z.array(Delivery),
      pageToken: z.string().optional().describe('For the next page; absent behind the last one.'),
    }),
    example: { deliveries: [DELIVERY_EXAMPLE] },
  },
  errors: ['receiver_not_found'],
} as const satisfies Operation;
