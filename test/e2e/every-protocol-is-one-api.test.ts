/** The gateway over Connect and gRPC, with the real services behind it. */
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { ERRORS, type ErrorCode } from '@tidemark/errors/codes';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { OccurrenceService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { RetentionService } from '@tidemark/protocol/connect/tidemark/scheduler/v1/retention_service';
import { StrategyService } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { BackupMode, BackupOrigin, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { BackupServiceService } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

let tidemark: Tidemark;
let client: Client;
beforeAll(async () => {
  tidemark = await startTidemark({
    env: { gateway: { TIDEMARK_RATE_PER_SECOND: '10000', TIDEMARK_RATE_BURST: '10000' } },
  });
  client = new Client(tidemark.stack.grpc, credentials.createInsecure());
}, 120_000);
afterAll(async () => {
  client?.close();
  await tidemark?.[Symbol.asyncDispose]();
});

const metadata = () => {
  const headers = new Metadata();
  headers.set('authorization', `Bearer ${tidemark.stack.token}`);
  return headers;
};
const unary = <Request, Response>(
  method: {
    readonly path: string;
    readonly requestSerialize: (request: Request) => Buffer;
    readonly responseDeserialize: (bytes: Buffer) => Response;
  },
  request: Request,
) =>
  new Promise<Response>((resolve, reject) => {
    const { path, requestSerialize, responseDeserialize } = method;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata(), (error, response) =>
      error ? reject(error) : resolve(response as Response),
    );
  });
/** A call of Connect as anybody can make it. */
const connect = async (method: string, body: unknown) => {
  const response = await fetch(`${tidemark.stack.url}/${method}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tidemark.stack.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  });
  return {
    status: response.status,
    body: (await response.json()) as {
      readonly code?: string;
      readonly message?: string;
      readonly details?: readonly { readonly type: string; readonly debug: Record<string, unknown> }[];
    },
  };
};

it('a backup is started, watched to its end and found by its key over gRPC, and is REST’s', async () => {
  const clusterId = await tidemark.cluster('grpc');
  const key = 'my-key';
  const { requestSerialize, responseDeserialize, path } = BackupServiceService.startBackup;
  const start: Parameters<typeof requestSerialize>[0] = {
    clusterId,
    key,
    mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
    type: '',
    origin: BackupOrigin.BACKUP_ORIGIN_UNSPECIFIED,
    notAfter: undefined,
    brOptions: undefined,
    rule: '',
    storageId: '',
  };
  const { backup } = await unary({ path, requestSerialize, responseDeserialize }, start);
  expect(backup).toMatchObject({
    clusterId,
    mode: BackupMode.BACKUP_MODE_MANUAL,
    origin: BackupOrigin.BACKUP_ORIGIN_REQUEST,
  });
  const id = backup?.id ?? '';

  const again = await tidemark.call<{ backupId: string }>(
    'POST',
    '/backups',
    { clusterId },
    { 'idempotency-key': key },
  );
  expect(again.data.backupId).toBe(id);
  const found = await connect(`${BackupService.typeName}/FindBackupByKey`, { clusterId, key });
  expect(found.body).toMatchObject({ backup: { id } });

  const watch = BackupServiceService.watchBackup;
  const stream = client.makeServerStreamRequest(
    watch.path,
    watch.requestSerialize,
    watch.responseDeserialize,
    { id, untilRemoved: false },
    metadata(),
  );
  const states: number[] = [];
  for await (const change of stream) states.push(change.backup?.state ?? -1);
  expect(states.at(-1)).toBe(BackupState.BACKUP_STATE_SUCCEEDED);

  const record = await tidemark.record(id);
  const told = await connect(`${BackupService.typeName}/GetBackup`, { id });
  expect(told.body).toMatchObject({
    backup: { path: record.filePath, result: { sizeBytes: String(record.sizeBytes), tso: record.backupTso } },
  });
});

it('an error has the same words over REST, Connect and gRPC', async () => {
  const clusterId = 'nobody';
  const rest = await tidemark.call('POST', '/backups', { clusterId });
  const over = await connect(`${BackupService.typeName}/StartBackup`, { clusterId });
  expect([rest.status, over.status, over.body.code]).toEqual([404, 404, 'not_found']);
  expect(over.body.message).toBe(rest.message);
  const { path, requestSerialize, responseDeserialize } = BackupServiceService.getBackup;
  const error = await unary({ path, requestSerialize, responseDeserialize }, { id: 'nothing' }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: status.NOT_FOUND, details: 'There is no backup nothing.' });
});

describe('what is not there', () => {
  const NOBODY = 'nobody';
  let clusterId: string;
  beforeAll(async () => {
    clusterId = await tidemark.cluster('known');
  });

  const strategy = { backupDate: 'Monday', period: '1:00-2:00', storageId: NOBODY };
  const cluster = { pd: ['127.0.0.1:2379'], storageId: NOBODY };
  type Row = readonly [what: string, method: string, path: string, body?: object];
  /** By the code and the details of the answer. */
  const rows: readonly (readonly [code: ErrorCode, details: object, rows: readonly Row[]])[] = [
    [
      'cluster_not_found',
      { clusterId: NOBODY },
      [
        ['a cluster', 'GET', '/clusters/nobody'],
        ['a cluster whose backups are asked for', 'GET', '/backups?clusterId=nobody'],
        ['a cluster whose windows are asked for', 'GET', '/clusters/nobody/occurrences'],
        ['a cluster whose strategy is asked for', 'GET', '/clusters/nobody/strategy'],
        ['a cluster that should be backed up', 'POST', '/backups', { clusterId: NOBODY }],
      ],
    ],
    [
      'backup_not_found',
      { backupId: NOBODY },
      [
        ['a backup', 'GET', '/backups/nobody'],
        ['a backup that should be deleted', 'DELETE', '/backups/nobody'],
        ['a backup that should be canceled', 'POST', '/backups/cancel', { clusterId: 'CLUSTER', backupId: NOBODY }],
      ],
    ],
    [
      'storage_not_found',
      { storageId: NOBODY },
      [
        ['a storage', 'GET', '/storages/nobody'],
        ['a storage that should be deleted', 'DELETE', '/storages/nobody'],
        ['a storage that should be checked', 'POST', '/storages/nobody/check'],
        ['a storage to rebuild from', 'POST', '/storages/nobody/rebuild'],
        ['the storage of a cluster', 'PUT', '/clusters/CLUSTER', cluster],
        ['the storage of a rule', 'PUT', '/clusters/CLUSTER/strategy', { strategy }],
        ['the storage of a rule that is only proposed', 'POST', '/clusters/CLUSTER/strategy/preview', { strategy }],
        [
          'the storage of a strategy for labels',
          'PUT',
          '/strategies/prod',
          { strategy: { ...strategy, selector: { env: 'prod' } } },
        ],
      ],
    ],
    ['check_not_found', { checkId: NOBODY }, [['a check of a storage', 'GET', '/storages/local/checks/nobody']]],
    [
      'strategy_not_found',
      { clusterId: 'CLUSTER', rule: NOBODY },
      [
        ['a rule', 'GET', '/clusters/CLUSTER/strategies/nobody'],
        ['a rule that should be deleted', 'DELETE', '/clusters/CLUSTER/strategies/nobody'],
        ['a rule that should run', 'POST', '/clusters/CLUSTER/strategies/nobody/run'],
        ['a rule whose plan is asked for', 'POST', '/clusters/CLUSTER/strategies/nobody/preview'],
        ['a rule whose retention is asked for', 'POST', '/clusters/CLUSTER/retention/simulate', { rule: NOBODY }],
      ],
    ],
    [
      'strategy_not_found',
      { name: NOBODY },
      [
        ['a strategy for labels', 'GET', '/strategies/nobody'],
        ['a strategy for labels that should be deleted', 'DELETE', '/strategies/nobody'],
      ],
    ],
  ];

  it.each(
    rows.flatMap(([code, details, some]) => some.map(([what, ...request]) => [what, code, details, request] as const)),
  )('%s is a 404 that names it', async (_, code, details, request) => {
    const here = <T>(value: T): T => JSON.parse(JSON.stringify(value).replaceAll('CLUSTER', clusterId));
    const [method, path, body] = here(request);
    const asked = await tidemark.call(method, path, body);
    const { http, number } = ERRORS[code];
    expect([asked.status, asked.code, asked.details], asked.message).toEqual([http, number, here(details)]);
    expect(asked.message).toContain(NOBODY);
  });

  it('an attempt whose log is asked for is named as what is wrong with the request', async () => {
    const backupId = await tidemark.start(clusterId);
    await tidemark.untilState(backupId, 'Succeeded');
    const asked = await tidemark.call('GET', `/backups/${backupId}/log?attempt=9`);
    expect([asked.status, asked.code, asked.details]).toMatchObject([400, 10001, { fields: [{ field: 'attempt' }] }]);
    const { path, requestSerialize, responseDeserialize } = BackupServiceService.readBackupLog;
    const request = { id: backupId, attempt: 9, follow: false };
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata());
    const refused = await Array.fromAsync(stream).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT, details: asked.message });
  });
});

describe('whatever a message holds, nothing breaks inside', () => {
  interface Field {
    readonly jsonName: string;
    readonly fieldKind: string;
    readonly listKind?: string | undefined;
    readonly mapKind?: string | undefined;
    readonly scalar?: number | undefined;
    readonly message?: Schema | undefined;
    readonly enum?: { readonly values: readonly { readonly name: string }[] } | undefined;
  }
  interface Schema {
    readonly typeName: string;
    readonly fields: readonly Field[];
  }
  interface Filling {
    readonly text: string;
    readonly number: number;
    readonly time: string;
    readonly value: number;
    /** Which field is left alone, so that not always the same one is refused first. */
    readonly skip: number;
  }
  const STRING = 9;
  const BOOL = 8;
  const one = (field: Field, filling: Filling): unknown => {
    if (field.message)
      return field.message.typeName === 'google.protobuf.Timestamp' ? filling.time : fill(field.message, filling);
    if (field.enum) return field.enum.values[filling.value % field.enum.values.length]?.name;
    if (field.scalar === STRING) return filling.text;
    return field.scalar === BOOL ? filling.number % 2 === 0 : filling.number;
  };
  const fill = (schema: Schema, filling: Filling): object => {
    const seen = new Set<unknown>();
    return Object.fromEntries(
      schema.fields.flatMap((field, index) => {
        const { oneof } = field as { readonly oneof?: object };
        if (index === filling.skip || (oneof && seen.has(oneof))) return [];
        seen.add(oneof);
        const value = one(field, filling);
        if (field.fieldKind === 'list') return [[field.jsonName, [value]]];
        if (field.fieldKind === 'map') return [[field.jsonName, { [filling.text]: value }]];
        return [[field.jsonName, value]];
      }),
    );
  };
  const FILLINGS = [
    'test-tidb',
    'local',
    'default',
    '',
    '\0',
    'UTC',
    'Monday',
    '1:00-2:00',
    '$where',
    '__proto__',
    'ＵＴＣ',
  ].flatMap((text, index): Filling[] => [
    { text, number: 1, time: '2026-01-01T00:00:00Z', value: 1, skip: index },
    { text, number: 1_000, time: '0001-01-01T00:00:00Z', value: 2, skip: -1 },
    { text, number: 2_147_483_647, time: '9999-12-31T23:59:59.999999999Z', value: index, skip: index % 4 },
  ]);
  const METHODS = [BackupService, RegistryService, StrategyService, OccurrenceService, RetentionService].flatMap(
    (service) =>
      service.methods.flatMap((method) =>
        // A check waits for its worker, and a stream is no single answer.
        method.methodKind === 'unary' && method.name !== 'CheckStorage'
          ? [[`${service.typeName}/${method.name}`, method.input as unknown as Schema] as const]
          : [],
      ),
  );

  it.each(METHODS)(
    '%s',
    async (method, input) => {
      for (const filling of FILLINGS) {
        const request = fill(input, filling);
        const answer = await connect(method, request);
        const { code = 'ok' } = answer.body;
        expect([answer.status >= 500 && answer.status !== 501, code], JSON.stringify([request, answer])).toEqual([
          false,
          expect.not.stringMatching(/^(internal|unknown|unavailable)$/),
        ]);
      }
    },
    60_000,
  );
});
