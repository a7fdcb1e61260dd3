/**
 * What nobody should send, over the protocols: each is told as a mistake of the caller, and reaches no service.
 *
 * 1. What REST refuses is refused here too, also where the service itself does not look at it.
 * 2. Fields for Tidemark's own processes are refused, known or not.
 * 3. Whatever a message can hold, nothing breaks inside.
 */
import { gzipSync } from 'node:zlib';
import { create, type DescMessage, type DescMethod, type DescService, fromBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { RestoreService } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { log } from '../logger.ts';
import { BACKUP, CLUSTER, OTHER_CLUSTER, RESTORE } from '../testing/programmable-backends.ts';
import { as, outcomeOf, PROTOCOLS, type Protocol, type RpcGateway, startRpcGateway } from '../testing/rpc-clients.ts';
import { OWN, SAMPLES } from '../testing/rpc-samples.ts';

let gateway: RpcGateway;
beforeAll(async () => {
  vi.spyOn(log, 'info').mockImplementation(() => undefined);
  gateway = await startRpcGateway();
});
beforeEach(() => {
  gateway.calls.length = 0;
});
afterAll(() => gateway?.[Symbol.asyncDispose]());

const mutations = () =>
  gateway.calls.filter(({ method }) => /^(start|cancel|delete|save|put|list|evaluate|preview|read)/.test(method));
const NOW = { seconds: 1_700_000_000n, nanos: 0 };
const clusterId = CLUSTER;

const BAD: readonly (readonly [string, DescService, string, object, readonly string[]])[] = [
  [
    'a start in the name of the schedule',
    BackupService,
    'startBackup',
    { clusterId, origin: BackupOrigin.SCHEDULE },
    ['origin'],
  ],
  ['a key with a blank', BackupService, 'startBackup', { clusterId, key: 'my key' }, ['key']],
  ['a key of 256 characters', BackupService, 'startBackup', { clusterId, key: 'k'.repeat(256) }, ['key']],
  ['a mode that is none', BackupService, 'startBackup', { clusterId, mode: 77 as BackupMode }, ['mode']],
  ['a start of no cluster', BackupService, 'startBackup', {}, ['clusterId']],
  ['a cluster that is no id', BackupService, 'startBackup', { clusterId: '../x' }, ['clusterId']],
  ['an endless text', BackupService, 'startBackup', { clusterId, type: 'f'.repeat(1_025) }, ['type']],
  [
    'an endless filter',
    BackupService,
    'startBackup',
    { clusterId, brOptions: { filters: ['ok', 'x'.repeat(2_000)] } },
    ['brOptions.filters[1]'],
  ],
  [
    'very many options',
    BackupService,
    'startBackup',
    { clusterId, brOptions: { extra: Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`o${i}`, ''])) } },
    ['brOptions.extra'],
  ],
  ['a key of no cluster', BackupService, 'findBackupByKey', { key: 'k' }, ['clusterId']],
  ['a backup that is no id', BackupService, 'getBackup', { id: 'a b' }, ['id']],
  ['no backup', BackupService, 'watchBackup', {}, ['id']],
  [
    'a constant that only rules set',
    BackupService,
    'cancelBackup',
    { id: BACKUP, reasonCode: 'WINDOW_CLOSED' },
    ['reasonCode'],
  ],
  ['a NUL in a text', BackupService, 'cancelBackup', { id: BACKUP, reason: 'a\0b' }, ['reason']],
  [
    'a NUL in a name',
    RegistryService,
    'putCluster',
    { cluster: { id: clusterId, labels: { 'a\0b': 'x' } } },
    ['cluster.labels (a key)'],
  ],
  ['an endless reason', BackupService, 'cancelBackup', { id: BACKUP, reason: 'r'.repeat(1_001) }, ['reason']],
  [
    'a cluster that is no id, of a backup',
    BackupService,
    'cancelBackup',
    { id: BACKUP, clusterId: '$' },
    ['clusterId'],
  ],
  [
    'a deletion in the name of retention',
    BackupService,
    'deleteBackup',
    { id: BACKUP, byRetention: true },
    ['byRetention'],
  ],
  [
    'the cluster of another backup',
    BackupService,
    'deleteBackup',
    { id: BACKUP, clusterId: OTHER_CLUSTER },
    ['clusterId'],
  ],
  [
    'an attempt of a restore that cannot be',
    RestoreService,
    'readRestoreLog',
    { id: RESTORE, attempt: 2_000 },
    ['attempt'],
  ],
  ['no restore', RestoreService, 'watchRestore', {}, ['id']],
  ['an attempt before the first', BackupService, 'readBackupLog', { id: BACKUP, attempt: -1 }, ['attempt']],
  ['an attempt that cannot be', BackupService, 'readBackupLog', { id: BACKUP, attempt: 2_000 }, ['attempt']],
  [
    'a state that is none',
    BackupService,
    'listBackups',
    { states: [BackupState.QUEUED, 99 as BackupState] },
    ['states[1]'],
  ],
  ['an unspecified state', BackupService, 'listBackups', { states: [BackupState.UNSPECIFIED] }, ['states[0]']],
  ['an origin that is none', BackupService, 'listBackups', { origin: 9 as BackupOrigin }, ['origin']],
  [
    'a list of clusters that are no ids',
    BackupService,
    'listBackups',
    { clusterIds: [CLUSTER, '', 'x y'] },
    ['clusterIds[1]', 'clusterIds[2]'],
  ],
  [
    'very many clusters',
    BackupService,
    'listBackups',
    { clusterIds: Array.from({ length: 1_001 }, (_, i) => `c${i}`) },
    ['clusterIds'],
  ],
  ['no cluster to put', RegistryService, 'putCluster', {}, ['cluster.id']],
  [
    'a cluster that is no id, beside other mistakes',
    BackupService,
    'startBackup',
    { clusterId: '../x', key: 'my key', origin: BackupOrigin.LOG },
    ['clusterId', 'origin', 'key'],
  ],
  [
    'a backup and a cluster that are no ids',
    BackupService,
    'cancelBackup',
    { id: 'a b', clusterId: '$', reason: 'r'.repeat(1_001), reasonCode: 'X' },
    ['id', 'clusterId', 'reasonCode', 'reason'],
  ],
  [
    'a list of clusters that are no ids, beside a state that is none',
    OccurrenceService,
    'listOccurrences',
    { clusterIds: [CLUSTER, 'x y'], states: [0], rule: '$' },
    ['clusterIds[1]', 'states[0]', 'rule'],
  ],
  [
    'an endless id once, and not for each thing that is wrong with it',
    StrategyService,
    'getStrategy',
    { clusterId: 'x'.repeat(2_000) },
    ['clusterId'],
  ],
  ['no id to get', RegistryService, 'getCluster', {}, ['id']],
  ['a rule that is no name', OccurrenceService, 'listOccurrences', { rule: 'a rule' }, ['rule']],
  ['a state of a window that is none', OccurrenceService, 'listOccurrences', { states: [0] }, ['states[0]']],
  [
    'a proposal for another cluster',
    OccurrenceService,
    'previewStrategy',
    { clusterId, proposal: { clusterId: OTHER_CLUSTER } },
    ['proposal.clusterId'],
  ],
  [
    'a proposal for another rule',
    OccurrenceService,
    'previewStrategy',
    { clusterId, rule: 'a', proposal: { rule: 'b' } },
    ['proposal.rule'],
  ],
  [
    'a proposal with what the gateway fills in',
    OccurrenceService,
    'previewStrategy',
    { clusterId, proposal: { defaultTimeZone: 'UTC' } },
    ['proposal.defaultTimeZone'],
  ],
  [
    'a retention of millions of years',
    RetentionService,
    'evaluateRetention',
    { clusterId, rule: 'default', proposal: { keepDays: 4_294_967_295 } },
    ['proposal.keepDays'],
  ],
  ['a retention of no cluster', RetentionService, 'evaluateRetention', {}, ['clusterId']],
  ['a filter for the scheduler', StrategyService, 'listStrategies', { updatedAfter: NOW }, ['updatedAfter']],
  [
    'a zone that the gateway fills in',
    StrategyService,
    'saveStrategy',
    { clusterId, defaultTimeZone: 'UTC' },
    ['defaultTimeZone'],
  ],
  ['an end of the window that is none', StrategyService, 'saveStrategy', { clusterId, windowEnd: 5 }, ['windowEnd']],
  ['a deletion of every rule at once', StrategyService, 'deleteStrategy', { clusterId }, ['rule']],
];

/** Their own clients cannot write these as JSON. */
const BAD_TIMES: typeof BAD = [
  [
    'a time beyond the year 9999',
    BackupService,
    'startBackup',
    { clusterId, notAfter: { seconds: 2n ** 60n, nanos: 0 } },
    ['notAfter'],
  ],
  [
    'nanoseconds of more than a second',
    BackupService,
    'startBackup',
    { clusterId, notAfter: { ...NOW, nanos: 2_000_000_000 } },
    ['notAfter'],
  ],
  [
    'an instant before the year 1',
    BackupService,
    'listBackups',
    { startedAtOrAfter: { seconds: -(2n ** 50n), nanos: 0 } },
    ['startedAtOrAfter'],
  ],
];

it.each(BAD)('%s is refused, and reaches no service', async (_, service, method, request, fields) => {
  for (const protocol of PROTOCOLS) await expectRefused(protocol, service, method, request, fields);
});

it.each(BAD_TIMES)('%s is refused, and reaches no service', async (_, service, method, request, fields) => {
  for (const protocol of PROTOCOLS)
    if (protocol !== 'Connect with JSON') await expectRefused(protocol, service, method, request, fields);
});

async function expectRefused(
  protocol: Protocol,
  service: DescService,
  method: string,
  request: object,
  fields: readonly string[],
): Promise<void> {
  const told = await outcomeOf(gateway.call(protocol, service, method, request, as('admin')));
  const refused = { code: 'InvalidArgument', reason: 'tidemark/invalid_argument', fields };
  expect(told, protocol).toMatchObject(refused);
  expect(mutations(), protocol).toEqual([]);
}

it('tells of endless mistakes the first twenty', async () => {
  const clusterIds = Array.from({ length: 900 }, () => '$');
  for (const protocol of PROTOCOLS)
    expect(
      await outcomeOf(gateway.client(BackupService, protocol).listBackups({ clusterIds }, as('admin'))),
      protocol,
    ).toMatchObject({ code: 'InvalidArgument', fields: clusterIds.slice(0, 20).map((_, i) => `clusterIds[${i}]`) });
});

it('tells all that is wrong at once', async () => {
  const call = gateway
    .client(BackupService)
    .startBackup({ clusterId, key: 'my key', mode: 77 as BackupMode, origin: BackupOrigin.SCHEDULE }, as('admin'));
  expect(await outcomeOf(call)).toMatchObject({ fields: ['mode', 'origin', 'key'] });
});

describe('every call', () => {
  it.each(SAMPLES.map((served) => [served.method, served] as const))(
    '%s takes any message without breaking',
    async (_, { service, method }) => {
      const { input } = service.methods.find(({ localName }) => localName === method) as DescMethod;
      for (const filling of FILLINGS) {
        const request = fill(input, filling);
        for (const protocol of ['Connect', 'gRPC'] as const) {
          const told = await outcomeOf(gateway.call(protocol, service, method, request, as('admin')));
          if (told !== 'ok')
            expect(told, `${protocol} ${filling.text.slice(0, 20)}`).toMatchObject({
              code: expect.stringMatching(/^(InvalidArgument|NotFound)$/),
            });
        }
      }
    },
  );

  it.each(SAMPLES.map((served) => [served.method, served] as const))(
    '%s passes on no field that this gateway does not know',
    async (_, { service, method, request: sample }) => {
      const { input } = service.methods.find(({ localName }) => localName === method) as DescMethod;
      const unknown = new BinaryWriter().tag(9_999, WireType.LengthDelimited).string('a field of tomorrow').finish();
      const request = Object.assign(create(input, sample(OWN)), {
        $unknown: fromBinary(input, unknown).$unknown,
      });
      expect(request.$unknown).toHaveLength(1);
      for (const protocol of ['Connect', 'gRPC-web', 'gRPC'] as const) {
        gateway.calls.length = 0;
        await outcomeOf(gateway.call(protocol, service, method, request, as('admin')));
        expect(gateway.calls.length).toBeGreaterThan(0);
        for (const call of gateway.calls) expect(call.request.$unknown, protocol).toBeUndefined();
      }
    },
  );
});

interface Filling {
  readonly text: string;
  readonly number: number;
  readonly enum: number;
}
const FILLINGS: readonly Filling[] = [
  { text: '\0', number: 1, enum: 1 },
  { text: '__proto__', number: 2_147_483_647, enum: 2 },
  { text: 'constructor', number: 0, enum: 0 },
  { text: '$where', number: 1_000_000, enum: 3 },
  { text: 'Ｍonday', number: 7, enum: 200 },
  { text: '{"a":[', number: 100, enum: 1 },
  { text: 'x'.repeat(10_000), number: 3, enum: 1 },
  { text: CLUSTER, number: 9, enum: 1 },
];

/** A message with something in every field. */
function fill(schema: DescMessage, filling: Filling, depth = 0): Record<string, unknown> {
  const one = (field: {
    readonly message?: DescMessage | undefined;
    readonly enum?: unknown;
    readonly scalar?: number | undefined;
  }) => {
    if (field.message)
      return field.message.typeName === 'google.protobuf.Timestamp'
        ? { seconds: BigInt(filling.number) ** 2n, nanos: 5 }
        : fill(field.message, filling, depth + 1);
    if (field.enum) return filling.enum;
    if (field.scalar === 9) return filling.text;
    if (field.scalar === 8) return filling.number % 2 === 0;
    return field.scalar === 3 || field.scalar === 4 ? BigInt(filling.number) : filling.number;
  };
  const members = schema.fields.flatMap((field) => {
    if (field.oneof && field.proto.proto3Optional === false) return [];
    if (field.fieldKind === 'list') return [[field.localName, [one(field)]]];
    if (field.fieldKind === 'map') return [[field.localName, { [filling.text]: one(field) }]];
    return [[field.localName, one(field)]];
  });
  return Object.fromEntries(members);
}

describe('bytes that are no call', () => {
  const post = async (
    path: string,
    contentType: string,
    body: string | Buffer | ReadableStream,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(`${gateway.url}/${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer admin', 'content-type': contentType, ...headers },
      body,
      ...(body instanceof ReadableStream && { duplex: 'half' }),
    } as RequestInit);
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  const GET_BACKUP = `${BackupService.typeName}/GetBackup`;

  it.each([
    ['no JSON', '{"id":'],
    ['another type', '{"id": 7}'],
    ['a lone surrogate', '{"id": "\\ud800"}'],
    ['a huge number', '{"id": "x", "clusterId": 1e309'],
    ['ten thousand nested lists', `{"nothing": ${'['.repeat(10_000)}${']'.repeat(10_000)}, "id": "a b"}`],
    ['an array', '[]'],
    ['nothing', ''],
  ])('%s is the caller’s mistake', async (_, body) => {
    const { status, text } = await post(GET_BACKUP, 'application/json', body);
    expect([status, JSON.parse(text).code]).toEqual([400, 'invalid_argument']);
  });

  it.each([
    ['ten thousand nested lists', '[', 'The body must not be nested over 64 deep.'],
    ['bytes that are no UTF-8', '"\xff"', 'The body must be UTF-8.'],
  ])('%s are told in the words of REST, also where they come compressed', async (_, bytes, message) => {
    const value = bytes === '[' ? `${'['.repeat(10_000)}${']'.repeat(10_000)}` : bytes;
    const body = Buffer.from(`{"id":"${BACKUP}","nothing":${value}}`, 'latin1');
    const rest = await fetch(`${gateway.url}/api/v1/backups/${BACKUP}`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer admin' },
      body,
    });
    expect([rest.status, await rest.json()]).toMatchObject([400, { message }]);
    for (const [sent, headers] of [
      [body, {}],
      [gzipSync(body), { 'content-encoding': 'gzip' }],
    ] as const) {
      const { status, text } = await post(GET_BACKUP, 'application/json', sent, headers);
      expect([status, JSON.parse(text)]).toMatchObject([400, { code: 'invalid_argument', message }]);
    }
    expect(gateway.calls).toEqual([]);
  });

  it('unknown fields of JSON are ignored, as over REST', async () => {
    const { status } = await post(GET_BACKUP, 'application/json', `{"id":"${BACKUP}","__proto__":{"x":1},"nope":[1]}`);
    expect(status).toBe(200);
  });

  it.each([
    ['RegistryService/CreateToken', { name: 'ci', expires: '2027-01-01T00:00:00Z' }, 'expires'],
    ['RestoreService/StartRestore', { backupId: BACKUP, filtre: ['db.*'] }, 'filtre'],
    ['RestoreService/PlanRestore', { backupId: BACKUP, options: { filters: [] } }, 'filters'],
    ['BackupService/VerifyBackup', { id: BACKUP, lvl: 1 }, 'lvl'],
  ])('unknown fields of JSON for %s are refused by their names, as over REST', async (method, body, field) => {
    const { status, text } = await post(`tidemark.backup.v1.${method}`, 'application/json', JSON.stringify(body));
    expect([status, JSON.parse(text)]).toMatchObject([
      400,
      { code: 'invalid_argument', message: expect.stringContaining(field) },
    ]);
    expect(gateway.calls).toEqual([]);
  });

  it('a message of more than a body may have is refused before it is read to its end', async () => {
    const { status, text } = await post(GET_BACKUP, 'application/proto', Buffer.alloc(2 * 1024 * 1024));
    expect([status, JSON.parse(text).code]).toEqual([429, 'resource_exhausted']);
  });

  it('a content type of nobody is a 415, a wrong method a 405, and REST’s parsers are out of the way', async () => {
    expect((await post(GET_BACKUP, 'text/plain', 'x')).status).toBe(415);
    expect((await fetch(`${gateway.url}/${GET_BACKUP}`, { method: 'PUT' })).status).toBe(405);
    expect((await fetch(`${gateway.url}/${BackupService.typeName}/StartBackup`)).status).toBe(405);
  });

  it('a read may be asked by GET, with the token in its header alone', async () => {
    const message = encodeURIComponent(JSON.stringify({ id: BACKUP }));
    const url = `${gateway.url}/${GET_BACKUP}?connect=v1&encoding=json&message=${message}`;
    expect((await fetch(url)).status).toBe(401);
    const response = await fetch(url, { headers: { authorization: 'Bearer viewer' } });
    expect(await response.json()).toMatchObject({ backup: { id: BACKUP } });
  });

  it('a deadline that is none is refused', async () => {
    const { status } = await post(GET_BACKUP, 'application/json', '{}', { 'connect-timeout-ms': 'soon' });
    expect(status).toBe(400);
  });

  it('of a caller without a token nothing is read', async () => {
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(Buffer.alloc(1024)) });
    const { status } = await post(GET_BACKUP, 'application/json', endless, { authorization: 'Bearer guessed' });
    expect(status).toBe(401);
  });

  it('a Host that is none is answered, and the connection is not left hanging', async () => {
    const { request } = await import('node:http');
    const status = await new Promise((resolve, reject) => {
      const { port } = new URL(gateway.url);
      const sent = request(
        { port, method: 'POST', path: `/${GET_BACKUP}`, headers: { host: 'a b#', 'content-type': 'application/json' } },
        (response) => resolve(response.resume().statusCode),
      );
      sent.on('error', reject).end('{}');
    });
    expect(status).toBe(400);
  });
});
