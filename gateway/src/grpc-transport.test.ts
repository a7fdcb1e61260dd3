import { Code, ConnectError } from '@connectrpc/connect';
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerWritableStream,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { bindService, type Handlers } from '@tidemark/service-kit/grpc/bind-service';
import { type GrpcServer, startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { toServiceError } from '@tidemark/service-kit/grpc/status';
import { createLogger } from '@tidemark/service-kit/logging';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Backends, createBackends } from './backends.ts';
import { createGrpcTransport } from './grpc-transport.ts';
import { toError } from './to-error.ts';

const TOKEN = 'between-services';
const HEADERS = { authorization: `Bearer ${TOKEN}`, 'x-request-id': 'r-1', 'x-tidemark-caller': 'alice' };
const seen: { requestId?: string; caller?: string; reached?: boolean; aborted?: boolean } = {};

const untilAborted = async (signal: AbortSignal) => {
  seen.reached = true;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  seen.aborted = true;
};
const refuse = async () => {
  throw new AppError('internal', 'not part of this test');
};
const handlers: Handlers<BackupServiceServer> = {
  startBackup: refuse,
  findBackupByKey: refuse,
  listActivity: refuse,
  listBackups: refuse,
  deleteBackup: refuse,
  undeleteBackup: refuse,
  pinBackup: refuse,
  unpinBackup: refuse,
  verifyBackup: refuse,
  cancelVerification: refuse,
  listRecoveryPoints: refuse,
  listNeededBases: refuse,
  listNewestGood: refuse,
  listChangedClusters: refuse,
  cancelBackup: refuse,
  async getBackup({ id }, { requestId, caller, signal }) {
    Object.assign(seen, { requestId, caller });
    if (id === 'unknown')
      throw new AppError('backup_not_found', 'There is no backup ünknown.', { info: { id }, retryAfterMs: 1_500 });
    if (id === 'bad') throw invalidArgument([{ field: 'id', description: 'must not be bad' }]);
    if (id === 'slow') await untilAborted(signal);
    return { backup: Backup.create({ id, revision: 2n ** 60n }) };
  },
  async *readBackupLog() {},
  async *watchBackup({ id }, { signal }) {
    for (let revision = 1n; revision <= 3n; revision += 1n) yield { backup: Backup.create({ id, revision }) };
    if (id === 'endless') await untilAborted(signal);
  },
};

const bind = (server: Server) =>
  new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );

describe('the transport over a grpc-js channel', () => {
  let server: GrpcServer;
  let client: Client;
  let backups: Backends['backups'];

  const open = (port: number) => {
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const transport = createGrpcTransport(client, { name: 'backup-service', defaultTimeoutMs: 5_000 });
    ({ backups } = createBackends({ backup: transport, strategy: transport, scheduler: transport }));
  };
  beforeEach(async () => {
    for (const key of Object.keys(seen)) delete seen[key as keyof typeof seen];
    server = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      token: TOKEN,
      log: createLogger('test'),
      services: [bindService<BackupServiceServer>(BackupServiceService, handlers)],
    });
    open(server.port);
  });
  afterEach(async () => {
    client.close();
    await server[Symbol.asyncDispose]();
  });

  it('carries requests, answers and headers', async () => {
    const { backup } = await backups.getBackup({ id: 'b1' }, { headers: HEADERS });
    expect(backup).toMatchObject({ id: 'b1', revision: 2n ** 60n });
    expect(seen).toMatchObject({ requestId: 'r-1', caller: 'alice' });
  });

  it('brings the error that the service threw, with its details', async () => {
    const unknown = await backups.getBackup({ id: 'unknown' }, { headers: HEADERS }).catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(ConnectError);
    expect(unknown).toMatchObject({ code: Code.NotFound });
    expect(toError(unknown)).toMatchObject({
      code: 'backup_not_found',
      message: 'There is no backup ünknown.',
      details: { info: { id: 'unknown' }, retryAfterMs: 1_500 },
    });
    const bad = await backups.getBackup({ id: 'bad' }, { headers: HEADERS }).catch((error: unknown) => error);
    expect(toError(bad)).toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'id', description: 'must not be bad' }] },
    });
  });

  it('ends a call at its deadline, on both sides', async () => {
    const call = backups.getBackup({ id: 'slow' }, { headers: HEADERS, timeoutMs: 100 });
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    await vi.waitFor(() => expect(seen.aborted).toBe(true));
  });

  it('says for the log which service, which call and how long, and nothing of that to the caller', async () => {
    const late = await backups.getBackup({ id: 'slow' }, { headers: HEADERS, timeoutMs: 100 }).catch((error) => error);
    expect(late).toMatchObject({
      rawMessage: expect.stringMatching(
        /^backup-service failed to answer tidemark\.backup\.v1\.BackupService\/GetBackup in \d+ ms: .*deadline/i,
      ),
      cause: undefined,
    });
    expect(toError(late)).toMatchObject({
      code: 'unavailable',
      message: 'A part of Tidemark cannot be reached right now; try again shortly.',
      cause: late,
    });
  });

  it('gives a call without a deadline its own', async () => {
    const short = createGrpcTransport(client, { name: 'backup-service', defaultTimeoutMs: 100 });
    const { backups: impatient } = createBackends({ backup: short, strategy: short, scheduler: short });
    await expect(impatient.getBackup({ id: 'slow' }, { headers: HEADERS })).rejects.toMatchObject({
      code: Code.DeadlineExceeded,
    });
  });

  it('cancels the handler when the caller gives up', async () => {
    const giveUp = new AbortController();
    const call = backups.getBackup({ id: 'slow' }, { headers: HEADERS, signal: giveUp.signal });
    const refused = expect(call).rejects.toMatchObject({ code: Code.Canceled });
    await vi.waitFor(() => expect(seen.reached).toBe(true));
    giveUp.abort();
    await refused;
    await vi.waitFor(() => expect(seen.aborted).toBe(true));
  });

  it('does not call at all for a caller who has given up already', async () => {
    const call = backups.getBackup({ id: 'slow' }, { headers: HEADERS, signal: AbortSignal.abort() });
    await expect(call).rejects.toBeInstanceOf(ConnectError);
    expect(seen.reached).toBeUndefined();
  });

  it('streams, and ends with the stream', async () => {
    const revisions: (bigint | undefined)[] = [];
    for await (const { backup } of backups.watchBackup({ id: 'b1' }, { headers: HEADERS }))
      revisions.push(backup?.revision);
    expect(revisions).toEqual([1n, 2n, 3n]);
  });

  it('cancels a stream when its reader leaves it, as clients of Connect do: by their signal', async () => {
    const giveUp = new AbortController();
    const read = async () => {
      const options = { headers: HEADERS, signal: giveUp.signal };
      for await (const { backup } of backups.watchBackup({ id: 'endless' }, options))
        if (backup?.revision === 3n) giveUp.abort();
    };
    await expect(read()).rejects.toMatchObject({ code: Code.Canceled });
    await vi.waitFor(() => expect(seen.aborted).toBe(true));
  });

  it('tells why a stream broke off, after what came before', async () => {
    const breaking = new Server();
    const { watchBackup } = BackupServiceService;
    breaking.addService({ watchBackup } as ServiceDefinition, {
      watchBackup(call: ServerWritableStream<unknown, unknown>) {
        call.write({ backup: Backup.create({ id: 'b1', revision: 1n }) });
        call.emit('error', toServiceError(new AppError('unavailable', 'It broke off.', { retryAfterMs: 700 })));
      },
    });
    client.close();
    open(await bind(breaking));
    const ids: (string | undefined)[] = [];
    const read = async () => {
      for await (const { backup } of backups.watchBackup({ id: 'b1' })) ids.push(backup?.id);
    };
    const error = await read().catch((thrown: unknown) => thrown);
    breaking.forceShutdown();
    expect(ids).toEqual(['b1']);
    expect(toError(error)).toMatchObject({
      code: 'unavailable',
      message: 'It broke off.',
      details: { retryAfterMs: 700 },
    });
  });

  it('says unavailable when nobody listens, for calls and streams', async () => {
    client.close();
    open(1);
    const call = await backups.getBackup({ id: 'b1' }).catch((error: unknown) => error);
    expect(toError(call)).toMatchObject({ code: 'unavailable', details: { retryAfterMs: 1_000 } });
    const read = async () => {
      for await (const _ of backups.watchBackup({ id: 'b1' }));
    };
    const stream = await read().catch((error: unknown) => error);
    expect(toError(stream)).toMatchObject({ code: 'unavailable' });
    for (const [error, name] of [
      [call, 'GetBackup'],
      [stream, 'WatchBackup'],
    ] as const)
      expect(error).toMatchObject({
        rawMessage: expect.stringContaining(
          `backup-service failed to answer tidemark.backup.v1.BackupService/${name} `,
        ),
      });
  });
});
