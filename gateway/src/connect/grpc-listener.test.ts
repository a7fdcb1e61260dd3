/** The listener for gRPC, asked by the gRPC client that is none of Connect's. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { AppError } from '@tidemark/errors/app-error';
import { HealthCheckRequestSchema, HealthCheckResponseSchema } from '@tidemark/protocol/connect/grpc/health/v1/health';
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from '@tidemark/protocol/connect/grpc/reflection/v1/reflection';
import {
  BackupService,
  GetBackupRequestSchema,
  GetBackupResponseSchema,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { fromServiceError } from '@tidemark/service-kit/grpc/status';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { log } from '../logger.ts';
import { BACKUP } from '../testing/programmable-backends.ts';
import { as, type RpcGateway, startRpcGateway } from '../testing/rpc-clients.ts';
import type { TestGatewayOptions } from '../testing/test-gateway.ts';
import { startGrpcListener } from './grpc-listener.ts';
import { PUBLIC_SERVICES } from './rpc-handler.ts';

let gateway: RpcGateway;
let client: Client;
beforeEach(async () => {
  vi.spyOn(log, 'info').mockImplementation(() => undefined);
  gateway = await startRpcGateway();
  client = new Client(`127.0.0.1:${gateway.grpc.port}`, credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  await gateway[Symbol.asyncDispose]();
  vi.restoreAllMocks();
});

const raw = (bytes: Buffer) => bytes;
const withToken = (token: string | null) => {
  const metadata = new Metadata();
  if (token !== null) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
};
const call = (path: string, request: Uint8Array, token: string | null) =>
  new Promise<Buffer>((resolve, reject) =>
    client.makeUnaryRequest(path, raw, raw, Buffer.from(request), withToken(token), (error, bytes) =>
      error ? reject(error) : resolve(bytes ?? Buffer.alloc(0)),
    ),
  );
const failure = async (promise: Promise<unknown>): Promise<ServiceError> =>
  promise.then(
    () => ({}),
    (error) => error,
  );

it('serves any gRPC client, with errors and details as it knows them', async () => {
  const get = (id: string, token: string) =>
    call(
      '/tidemark.backup.v1.BackupService/GetBackup',
      toBinary(GetBackupRequestSchema, create(GetBackupRequestSchema, { id })),
      token,
    );
  expect(fromBinary(GetBackupResponseSchema, await get(BACKUP, 'viewer')).backup?.id).toBe(BACKUP);
  const unknown = await failure(get('nothing', 'viewer'));
  expect(unknown).toMatchObject({ code: status.NOT_FOUND, details: 'There is no backup nothing.' });
  expect(fromServiceError(unknown)).toMatchObject({
    code: 'backup_not_found',
    details: { info: { backupId: 'nothing' } },
  });
  const bad = await failure(get('a b', 'viewer'));
  expect(bad.details).toBe('id: must be 1 to 64 letters, digits, underscores or dashes');
  expect(fromServiceError(bad)).toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'id' }] } });
  expect(await failure(get(BACKUP, 'guessed'))).toMatchObject({ code: status.UNAUTHENTICATED });
});

it('tells a sentence as it is, whatever is in it, at once and at the end of a stream', async () => {
  const sentence = 'a: 100 % of “b”; see c/d?e=f&g#h, or 備份 😀';
  const fails = () => {
    throw new AppError('backup_over', sentence);
  };
  gateway.answers.pinBackup = async () => fails();
  gateway.answers.watchBackup = async function* () {
    yield {};
    fails();
  };
  const request = toBinary(GetBackupRequestSchema, create(GetBackupRequestSchema, { id: BACKUP }));
  for (const method of ['PinBackup', 'WatchBackup']) {
    const path = `/tidemark.backup.v1.BackupService/${method}`;
    expect((await failure(call(path, request, 'operator'))).details, method).toBe(sentence);
  }
  const own = await failure(gateway.client(BackupService, 'gRPC').pinBackup({ id: BACKUP }, as('operator')));
  expect(ConnectError.from(own).rawMessage).toBe(sentence);
});

it.each([
  '/tidemark.strategy.v1.PlanService/ListDueStrategies',
  '/tidemark.backup.v1.ExecutorService/ClaimTask',
  '/tidemark.backup.v1.BackupService/ListChangedClusters',
  '/tidemark.backup.v1.BackupService/OfTomorrow',
  '/nothing.of.Ours/Whatever',
  '/',
])('says of %s that there is no such method', async (path) => {
  expect(await failure(call(path, Buffer.alloc(0), 'admin'))).toMatchObject({ code: status.UNIMPLEMENTED });
});

describe('limits', () => {
  const LIST = '/tidemark.backup.v1.BackupService/ListBackups';
  const started = async (options: TestGatewayOptions) => {
    await gateway[Symbol.asyncDispose]();
    client.close();
    gateway = await startRpcGateway(options);
    client = new Client(`127.0.0.1:${gateway.grpc.port}`, credentials.createInsecure());
  };

  it('tells every caller what is left of its rate, also where nothing is', async () => {
    await started({ rate: { perSecond: 0.01, burst: 2 } });
    for (const transport of [gateway.transports.Connect, gateway.transports['gRPC-web'], gateway.transports.gRPC]) {
      const token = randomUUID();
      await gateway.writeTokens({ [token]: { role: 'viewer', clusters: ['*'] } });
      const left: (string | null)[] = [];
      const onHeader = (headers: Headers) => void left.push(headers.get('ratelimit-remaining'));
      const backups = createClient(BackupService, transport);
      await vi.waitFor(() => backups.listBackups({}, { ...as(token), onHeader }), { timeout: 10_000 });
      await backups.listBackups({}, { ...as(token), onHeader });
      const refused = await backups.listBackups({}, as(token)).catch((error: unknown) => ConnectError.from(error));
      expect(refused).toMatchObject({ code: Code.ResourceExhausted });
      expect((refused as ConnectError).metadata.get('ratelimit-remaining')).toBe('0');
      expect(left).toEqual(['1', '0']);
    }
  });

  it('closes the connections of one address beyond so many at once', async () => {
    await started({ limits: { connectionsPerAddress: 1 } });
    await call(LIST, Buffer.alloc(0), 'viewer');
    const second = connect(gateway.grpc.port, '127.0.0.1');
    await once(second, 'close');
    await call(LIST, Buffer.alloc(0), 'viewer');
  });

  it('audits the address of the client that a trusted proxy names, and believes nobody else', async () => {
    const audited = async () => {
      vi.mocked(log.info).mockClear();
      const metadata = withToken('admin');
      metadata.set('x-forwarded-for', '203.0.113.7');
      client.makeUnaryRequest(
        '/tidemark.backup.v1.BackupService/StartBackup',
        raw,
        raw,
        Buffer.alloc(0),
        metadata,
        () => undefined,
      );
      return vi.waitFor(() => {
        const line = vi.mocked(log.info).mock.calls.find(([, said]: readonly unknown[]) => said === 'audit')?.[0];
        expect(line).toBeDefined();
        return (line as { from?: string } | undefined)?.from;
      }, 20_000);
    };
    expect(await audited()).toBe('127.0.0.1');
    await started({ trustedProxies: ['127.0.0.0/8'] });
    expect(await audited()).toBe('203.0.113.7');
  });
});

describe('health', () => {
  const check = async (service: string) =>
    fromBinary(
      HealthCheckResponseSchema,
      await call(
        '/grpc.health.v1.Health/Check',
        toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service })),
        null,
      ),
    ).status;

  it('is told to everybody, of the whole and of each public service', async () => {
    for (const name of ['', ...PUBLIC_SERVICES.map(({ typeName }) => typeName)]) expect(await check(name)).toBe(1);
    for (const name of ['tidemark.backup.v1.ExecutorService', 'x'])
      expect(await failure(check(name))).toMatchObject({ code: status.NOT_FOUND });
  });

  it('is watched until the gateway stops', async () => {
    const told: number[] = [];
    const stream = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', raw, raw, Buffer.alloc(0));
    stream.on('data', (bytes: Buffer) => told.push(fromBinary(HealthCheckResponseSchema, bytes).status));
    const ended = new Promise((resolve) => stream.on('end', resolve));
    await vi.waitFor(() => expect(told).toEqual([1]));
    await gateway.grpc[Symbol.asyncDispose]();
    await ended;
    expect(told).toEqual([1, 2]);
  });
});

describe('reflection', () => {
  type Asked = ServerReflectionRequest['messageRequest'];
  const reflect = async (
    asked: Asked[],
    version: string,
    token: string | null,
  ): Promise<ServerReflectionResponse[]> => {
    const stream = client.makeBidiStreamRequest(
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      raw,
      raw,
      withToken(token),
    );
    for (const messageRequest of asked) {
      const request = create(ServerReflectionRequestSchema, { messageRequest });
      stream.write(Buffer.from(toBinary(ServerReflectionRequestSchema, request)));
    }
    const answers: ServerReflectionResponse[] = [];
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      answers.push(fromBinary(ServerReflectionResponseSchema, bytes));
      if (answers.length === asked.length) stream.end();
    }
    return answers;
  };
  const files = (answer: ServerReflectionResponse | undefined) =>
    answer?.messageResponse.case === 'fileDescriptorResponse'
      ? answer.messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes))
      : [];

  it.each(['v1', 'v1alpha'])('%s lists what is served, and nothing else', async (version) => {
    const [answer] = await reflect([{ case: 'listServices', value: '' }], version, 'viewer');
    expect(answer?.messageResponse).toMatchObject({
      case: 'listServicesResponse',
      value: {
        service: [
          { name: 'tidemark.backup.v1.BackupService' },
          { name: 'tidemark.backup.v1.RestoreService' },
          { name: 'tidemark.backup.v1.LogBackupService' },
          { name: 'tidemark.backup.v1.RegistryService' },
          { name: 'tidemark.backup.v1.AuditService' },
          { name: 'tidemark.strategy.v1.StrategyService' },
          { name: 'tidemark.scheduler.v1.FleetService' },
          { name: 'tidemark.scheduler.v1.OccurrenceService' },
          { name: 'tidemark.scheduler.v1.RetentionService' },
          { name: 'tidemark.scheduler.v1.DrillService' },
          { name: 'tidemark.scheduler.v1.NotificationService' },
          { name: 'grpc.health.v1.Health' },
          { name: 'grpc.reflection.v1.ServerReflection' },
        ],
      },
    });
  });

  it('describes methods and messages with all that they need, without those that are internal', async () => {
    const symbol = (value: string): Asked => ({ case: 'fileContainingSymbol', value });
    const answers = await reflect(
      [
        symbol('tidemark.backup.v1.BackupService'),
        symbol('tidemark.strategy.v1.Retention'),
        symbol('tidemark.backup.v1.BackupService.GetBackup'),
        { case: 'fileByFilename', value: 'google/protobuf/timestamp.proto' },
        symbol('tidemark.backup.v1.BackupService.ListChangedClusters'),
        symbol('tidemark.backup.v1.ExecutorService'),
        { case: 'fileByFilename', value: 'tidemark/strategy/v1/plan_service.proto' },
        { case: 'allExtensionNumbersOfType', value: 'tidemark.backup.v1.Backup' },
        { case: undefined },
      ],
      'v1',
      'viewer',
    );
    const [service] = files(answers[0]);
    expect(service?.name).toBe('tidemark/backup/v1/backup_service.proto');
    const methods = service?.service[0]?.method.map(({ name }) => name) ?? [];
    expect(methods).toContain('WatchBackup');
    expect(methods).not.toContain('ListChangedClusters');
    const names = new Set(files(answers[0]).map(({ name }) => name));
    for (const { dependency } of files(answers[0])) for (const name of dependency) expect(names).toContain(name);
    for (const answer of answers.slice(1, 4)) expect(files(answer).length).toBeGreaterThan(0);
    for (const answer of answers.slice(4)) expect(answer.messageResponse.case).toBe('errorResponse');
  });

  it('is read by buf with the line of the documentation', { timeout: 30_000 }, async () => {
    const root = join(import.meta.dirname, '..', '..', '..');
    const page = readFileSync(join(root, 'docs', 'grpc.md'), 'utf8');
    const [line = ''] = page.match(/^buf curl .*--reflect-header.*$/m) ?? [];
    const here = line
      .replace('buf', join(root, 'node_modules', '.bin', 'buf'))
      .replace(':4120', `:${gateway.grpc.port}`);
    const ask = (token: string) =>
      promisify(execFile)('sh', ['-c', here], { cwd: tmpdir(), env: { ...process.env, TOKEN: token } });
    expect(JSON.parse((await ask('viewer')).stdout)).toHaveProperty('clusters');
    // What buf says where the token is bad: hence the lines.
    await expect(ask('guessed')).rejects.toThrow('failed to find service');
  });

  it('is for those with a token', async () => {
    await expect(reflect([{ case: 'listServices', value: '' }], 'v1', null)).rejects.toMatchObject({
      code: status.UNAUTHENTICATED,
    });
  });
});

it('says which address is taken', async () => {
  const taken = startGrpcListener({ ...gateway.edge, host: '127.0.0.1', port: gateway.grpc.port });
  await expect(taken).rejects.toThrow(`127.0.0.1:${gateway.grpc.port}`);
});

it('outlives clients that speak something else', async () => {
  const { connect } = await import('node:net');
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\0garbage'.repeat(20),
  ]) {
    const socket = connect(gateway.grpc.port, '127.0.0.1');
    socket.on('error', () => undefined).write(bytes);
    await new Promise((resolve) => socket.resume().once('close', resolve));
  }
  expect((await call('/grpc.health.v1.Health/Check', Buffer.alloc(0), null)).length).toBe(2);
});
