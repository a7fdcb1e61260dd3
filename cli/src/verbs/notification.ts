import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { DEFAULT_PAGE_SIZE, MAX_COMMAND_ROWS, MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { answered, found } from '../api.ts';
import type { Delivery, Receiver, ReceiverBody, ReceiverStatus } from '../api-types.ts';
import { receiverBody } from '../bodies.ts';
import { confirmByName } from '../confirm.ts';
import { CommandError, UsageError } from '../exit.ts';
import { examples, labelsOf, type Program, toId, toLabel, toSeconds, toTexts, wholeNumber } from '../options.ts';
import { readPages } from '../pages.ts';
import type { Run } from '../session.ts';
import type { Column, Field } from '../table.ts';
import { counted, labelsOf as labelsText, when } from '../text.ts';
import { withOptions } from '../with-options.ts';

const KINDS = ['webhook', 'slack', 'mail', 'heartbeat'] as const;
const SEVERITIES = ['info', 'warning', 'critical'] as const;
const TOPICS = ['backup', 'window', 'promise', 'removal', 'damage', 'storage', 'restore'] as const;
const SECURITIES = ['tls', 'starttls', 'none'] as const;
const STATES = ['waiting', 'delivered', 'givenUp', 'dropped'] as const;

type Digest = NonNullable<ReceiverBody['digest']>;
type Topic = (typeof TOPICS)[number];

/** `8@Europe/Berlin`. @throws InvalidArgumentError */
function toDigest(text: string): Digest {
  const [, hour, timeZone] = /^(\d{1,2})@(\S+)$/.exec(text) ?? [];
  if (timeZone === undefined || Number(hour) > 23)
    throw new InvalidArgumentError('It must be an hour and a time zone, such as 8@Europe/Berlin.');
  return { hour: Number(hour), timeZone };
}

/** `smtp.example.com:587`. @throws InvalidArgumentError */
function toServer(text: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new InvalidArgumentError('It must be host:port, such as smtp.example.com:587.');
  return { host, port: Number(port) };
}

/** @throws InvalidArgumentError */
function toTopics(text: string, before: readonly Topic[] = []): Topic[] {
  const topic = TOPICS.find((one) => one === text);
  if (!topic) throw new InvalidArgumentError(`It must be one of ${TOPICS.join(', ')}.`);
  return [...before, topic];
}

type Settings = {
  readonly webhookUrl?: string;
  readonly envPrefix?: string;
  readonly secretsFile?: string;
  readonly label?: string[];
  readonly severity?: (typeof SEVERITIES)[number];
  readonly topic?: Topic[];
  readonly template?: string;
  readonly digest?: Digest | false;
  readonly smtp?: { readonly host: string; readonly port: number };
  readonly smtpSecurity?: (typeof SECURITIES)[number];
  readonly from?: string;
  readonly to?: string[];
  readonly every?: number;
};

const SETTINGS = [
  new Option('--webhook-url <url>', 'of a webhook or heartbeat, where it is no secret'),
  new Option('--env-prefix <prefix>', 'of the variables of scheduler-service that hold its secrets').conflicts(
    'secretsFile',
  ),
  new Option('--secrets-file <file>', 'beside scheduler-service, which holds its secrets'),
  new Option('--label <name=value>', 'only about clusters with it; may be given again').argParser(toLabel),
  new Option('--severity <severity>', 'nothing that is less urgent').choices(SEVERITIES),
  new Option('--topic <topic>', `only this: ${TOPICS.join(', ')}; may be given again`).argParser(toTopics),
  new Option('--template <text>', 'of the text, in Mustache, such as {{title}}; "" for the plain one'),
  new Option('--digest <hour@zone>', 'what stands, once a day at this hour').argParser(toDigest),
  new Option('--no-digest', 'no digest'),
  new Option('--smtp <host:port>', 'the mail server').argParser(toServer),
  new Option('--smtp-security <how>', 'how the way to it is encrypted (starttls)').choices(SECURITIES),
  new Option('--from <address>', 'who the mails are from'),
  new Option('--to <address>', 'who gets them; may be given again').argParser(toTexts),
  new Option('--every <time>', 'from one beat of a heartbeat to the next, such as 60s').argParser(toSeconds),
];

const COLUMNS: readonly Column<Receiver>[] = [
  { title: 'ID', of: ({ id }) => id },
  { title: 'KIND', of: ({ kind }) => kind },
  { title: 'FROM', of: ({ leastSeverity, kind }) => (kind === 'heartbeat' ? '-' : leastSeverity) },
  { title: 'ABOUT', of: ({ topics, kind }) => (kind === 'heartbeat' ? '-' : topics.join(',') || 'all') },
  { title: 'LABELS', of: ({ selector }) => labelsText(selector) || '-' },
  {
    title: 'PAUSED',
    of: ({ paused }) => (paused ? 'yes' : '-'),
    style: ({ paused }) => (paused ? 'yellow' : undefined),
  },
  { title: 'WHERE', of: placeOf, wide: true },
];

function placeOf({ url, mail, secrets }: Receiver): string {
  if (mail) return `${mail.to.join(',')} over ${mail.host}:${mail.port}`;
  return url ?? secrets?.file ?? (secrets?.envPrefix === undefined ? '-' : `${secrets.envPrefix}WEBHOOK_URL`);
}

const fieldsOf = (receiver: Receiver, status?: ReceiverStatus): Field[] => [
  ['id', receiver.id],
  ['kind', receiver.kind],
  ['where', placeOf(receiver)],
  ['secrets', receiver.secrets && (receiver.secrets.file ?? `variables ${receiver.secrets.envPrefix}…`)],
  ['labels', labelsText(receiver.selector)],
  ['from', receiver.kind === 'heartbeat' ? '' : receiver.leastSeverity],
  ['about', receiver.kind === 'heartbeat' ? '' : receiver.topics.join(', ') || 'all'],
  ['template', receiver.template],
  ['digest', receiver.digest && `at ${receiver.digest.hour}:00 ${receiver.digest.timeZone}`],
  ['every', receiver.everySeconds === undefined ? '' : `${receiver.everySeconds} s`],
  ['paused', receiver.paused ? 'yes' : '', 'yellow'],
  ['waiting', status && (status.waiting === 0 ? 'nothing' : `${status.waiting}, since ${when(status.waitingSince)}`)],
  ['delivered', status && when(status.deliveredTime)],
  ['trouble', status?.trouble, 'red'],
  ['changed', `${when(receiver.updateTime)} by ${receiver.updatedBy}`],
];

const DELIVERY_COLUMNS: readonly Column<Delivery>[] = [
  { title: 'TIME', of: ({ eventTime }) => when(eventTime) },
  {
    title: 'STATE',
    of: ({ state, tries }) =>
      state === 'waiting' && tries > 0 ? `waiting after ${counted(tries, 'try', 'tries')}` : state,
    style: ({ state }) => (state === 'givenUp' ? 'red' : state === 'waiting' ? 'yellow' : undefined),
  },
  { title: 'TYPE', of: ({ type }) => type },
  { title: 'SEVERITY', of: ({ severity }) => severity },
  { title: 'TRIED NEXT', of: ({ nextTryTime }) => when(nextTryTime), wide: true },
  { title: 'EVENT', of: ({ eventId }) => eventId, wide: true },
  { title: 'TEXT', of: ({ text, trouble }) => (trouble === undefined ? text : `${text} (${trouble})`), wraps: true },
];

/** The body with what was said, where something was. */
function changed(body: Partial<ReceiverBody>, options: Settings): Partial<ReceiverBody> {
  const { webhookUrl, envPrefix, secretsFile, label, severity, topic, template, digest, every } = options;
  return {
    ...body,
    ...(webhookUrl !== undefined && { url: webhookUrl }),
    ...(envPrefix !== undefined && { secrets: { envPrefix } }),
    ...(secretsFile !== undefined && { secrets: { file: secretsFile } }),
    ...(label && { selector: labelsOf(label) }),
    ...(severity && { leastSeverity: severity }),
    ...(topic && { topics: topic }),
    ...(template !== undefined && { template }),
    ...(digest !== undefined && { digest: digest || null }),
    ...(every !== undefined && { everySeconds: every }),
    ...mailOf(body, options),
  };
}

function mailOf({ mail }: Partial<ReceiverBody>, { smtp, smtpSecurity, from, to }: Settings): Partial<ReceiverBody> {
  if (!smtp && !smtpSecurity && from === undefined && !to) return {};
  const { host = '', port = 0 } = smtp ?? mail ?? {};
  const said = { ...mail, host, port, ...(smtpSecurity && { security: smtpSecurity }) };
  return { mail: { ...said, from: from ?? mail?.from ?? '', to: to ?? mail?.to ?? [] } };
}

export function add(program: Program, run: Run): void {
  const group = program
    .command('notification')
    .summary('who is told of what')
    .description('Receivers of notifications (docs/notifications.md). For those who see all clusters.');

  group
    .command('list')
    .description('Lists the receivers.')
    .addHelpText('after', examples('notification list'))
    .action(() =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/notifications'));
        await output.list(data, data.receivers, COLUMNS);
      }),
    );

  group
    .command('get')
    .description('Shows a receiver, and how it is with it.')
    .argument('<receiver>', 'its id', toId)
    .addHelpText('after', examples('notification get ops'))
    .action((receiverId) =>
      run(async ({ api, output }) => {
        const { data } = await answered(api.GET('/notifications/{receiverId}', { params: { path: { receiverId } } }));
        await output.record(data, fieldsOf(data.receiver, data.status));
      }),
    );

  withOptions<Settings>(SETTINGS)(
    group
      .command('add')
      .description('Makes a receiver. Its secrets stay with scheduler-service, and are named here.')
      .argument('<receiver>', 'its id', toId)
      .addOption(new Option('--kind <kind>', 'in which form it gets events').choices(KINDS).makeOptionMandatory()),
  )
    .addHelpText(
      'after',
      examples(
        'notification add ops --kind webhook --webhook-url https://hooks.example.com/tidemark --env-prefix OPS_ --severity warning',
        'notification add chat --kind slack --env-prefix CHAT_ --label env=prod --digest 8@Europe/Berlin',
        'notification add dba --kind mail --smtp smtp.example.com:587 --from tidemark@example.com --to dba@example.com',
        'notification add switch --kind heartbeat --env-prefix SWITCH_ --every 60s',
      ),
    )
    .action((receiverId, { kind, ...options }) =>
      run(async ({ api, output, tell, command }) => {
        if (await found(api.GET('/notifications/{receiverId}', { params: { path: { receiverId } } })))
          throw new CommandError(
            `There is a receiver ${receiverId} already: "${command} notification set ${receiverId}" changes it.`,
          );
        const body = { ...changed({}, options), kind };
        const params = { path: { receiverId }, query: { revision: 0 } };
        const { data } = await answered(api.PUT('/notifications/{receiverId}', { params, body }));
        await output.record(data, fieldsOf(data.receiver));
        if (output.isTable) tell(`Whether it works, "${command} notification test ${receiverId}" says.`);
      }),
    );

  withOptions<Settings>(SETTINGS)(
    group
      .command('set')
      .description('Changes a receiver; what is left out stays as it is.')
      .argument('<receiver>', 'its id', toId)
      .option('--pause', 'it gets nothing; what waits goes on waiting')
      .option('--resume', 'it gets what comes from now on, and what waits'),
  )
    .addHelpText('after', examples('notification set ops --severity critical', 'notification set ops --pause'))
    .action((receiverId, { pause, resume, ...options }) =>
      run(async ({ api, output }) => {
        if (pause && resume) throw new UsageError('--pause and --resume exclude each other.');
        const { receiver } = (
          await answered(api.GET('/notifications/{receiverId}', { params: { path: { receiverId } } }))
        ).data;
        const before = receiverBody(receiver);
        const body = {
          ...before,
          ...changed(before, options),
          ...(pause && { paused: true }),
          ...(resume && { paused: false }),
        };
        const params = { path: { receiverId }, query: { revision: receiver.revision } };
        const { data } = await answered(api.PUT('/notifications/{receiverId}', { params, body }));
        await output.record(data, fieldsOf(data.receiver));
      }),
    );

  group
    .command('test')
    .description('Sends a receiver something once, now, and says how that went.')
    .argument('<receiver>', 'its id', toId)
    .addHelpText('after', examples('notification test ops'))
    .action((receiverId) =>
      run(async ({ api, output, tell }) => {
        const { data } = await answered(
          api.POST('/notifications/{receiverId}/test', { params: { path: { receiverId } } }),
        );
        const { state, trouble = '' } = data.delivery;
        if (!output.isTable) await output.record(data, []);
        if (state !== 'delivered') throw new CommandError(`The receiver ${receiverId} did not take it: ${trouble}`);
        if (output.isTable) tell(`The receiver ${receiverId} took it.`, 'green');
      }),
    );

  group
    .command('deliveries')
    .description('Lists what was and is to be delivered to a receiver, newest first.')
    .argument('<receiver>', 'its id', toId)
    .addOption(new Option('--state <state>', 'only these').choices(STATES))
    .option('--limit <count>', `how many (${DEFAULT_PAGE_SIZE * 5})`, wholeNumber(1, MAX_COMMAND_ROWS))
    .addHelpText('after', examples('notification deliveries ops', 'notification deliveries ops --state givenUp'))
    .action((receiverId, { state, limit = DEFAULT_PAGE_SIZE * 5 }) =>
      run(async ({ api, output, tell }) => {
        const { items, pageToken } = await readPages(limit, MAX_PAGE_SIZE, async (pageSize, token) => {
          const query = {
            pageSize,
            ...(token !== undefined && { pageToken: token }),
            ...(state && { state: [state] }),
          };
          const params = { path: { receiverId }, query };
          const { data } = await answered(api.GET('/notifications/{receiverId}/deliveries', { params }));
          return { answer: data, items: data.deliveries, pageToken: data.pageToken };
        });
        await output.list(
          { deliveries: items, ...(pageToken !== undefined && { pageToken }) },
          items,
          DELIVERY_COLUMNS,
        );
        if (pageToken !== undefined && output.isTable)
          tell(`There are more than ${counted(items.length, 'notification')}: --limit says how many are listed.`);
      }),
    );

  group
    .command('delete')
    .description('Deletes a receiver; what waits for it is dropped.')
    .argument('<receiver>', 'its id', toId)
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('notification delete ops'))
    .action((receiverId, { yes }) =>
      run(async (session) => {
        const { api, output, tell } = session;
        const params = { path: { receiverId } };
        const { status } = (await answered(api.GET('/notifications/{receiverId}', { params }))).data;
        const waiting = status.waiting === 0 ? 'nothing waits' : `${counted(status.waiting, 'notification')} wait`;
        await confirmByName(receiverId, `This deletes the receiver ${receiverId}, for which ${waiting}.`, yes, session);
        const { data } = await answered(api.DELETE('/notifications/{receiverId}', { params }));
        await output.record(data, []);
        if (output.isTable) tell(`The receiver ${receiverId} is deleted.`);
      }),
    );
}
