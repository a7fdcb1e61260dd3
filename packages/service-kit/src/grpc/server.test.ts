import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_MESSAGE_BYTES } from '@tidemark/limits/limits';
import { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../logging.ts';
import { bindService, type Handlers } from './bind-service.ts';
import { createServiceClient, type ServiceClient } from './client.ts';
import { type GrpcServer, startGrpcServer } from './server.ts';

const TOKEN = 'a-service-token';
const seen: { requestId?: string; caller?: string; aborted?: boolean; timeLeftMs?: number } = {};

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
  async getBackup({ id }, { requestId, callId, caller, signal, timeLeftMs }) {
    Object.assign(seen, { requestId, callId, caller, timeLeftMs: timeLeftMs() });
    if (id === 'unknown')
      throw new AppError('backup_not_found', 'There is no backup unknown.', { info: { id }, retryAfterMs: 1_500 });
    if (id === 'bad') throw invalidArgument([{ field: 'id', description: 'must not be bad' }]);
    if (id === 'large') return { backup: Backup.create({ id, path: 'x'.repeat(MAX_MESSAGE_BYTES) }) };
    if (id === 'bug') throw new Error('a secret of the inside');
    if (id === 'slow')
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    if (id === 'slow') seen.aborted = true;
    return { backup: Backup.create({ id, revision: 2n ** 60n }) };
  },
  async cancelBackup(_, { signal }) {
    signal.throwIfAborted();
    return { backup: undefined };
  },
  async *readBackupLog() {},
  async *watchBackup({ id }, { signal }) {
    for (let revision = 1n; revision <= 5n; revision += 1n) yield { backup: Backup.create({ id, revision }) };
    if (id === 'broken') throw new AppError('backup_not_found', 'It went while you watched.');
    if (id !== 'endless') return;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    seen.aborted = true;
  },
};

describe('a gRPC server and its client', () => {
  let server: GrpcServer;
  let client: ServiceClient<BackupServiceServer>;

  beforeEach(async () => {
    seen.aborted = false;
    server = await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      token: TOKEN,
      log: createLogger('test'),
      services: [bindService<BackupServiceServer>(BackupServiceService, handlers)],
    });
    client = createServiceClient<BackupServiceServer>(BackupServiceService, {
      address: `127.0.0.1:${server.port}`,
      token: TOKEN,
    });
  });
  afterEach(async () => {
    client[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  it('gives each call an id of its own, also where one request id comes with several', async () => {
    const callIds = new Set<unknown>();
    for (let calls = 0; calls < 3; calls += 1) {
      await client.getBackup({ id: 'b1' }, { requestId: 'always-this' });
      expect(seen).toMatchObject({ requestId: 'always-this', callId: expect.stringMatching(/^[\w-]{36}$/) });
      callIds.add(Reflect.get(seen, 'callId'));
    }
    expect(callIds.size).toBe(3);
  });

  it('carries 64-bit numbers, the request id and the caller', async () => {
    const { backup } = await client.getBackup({ id: 'b1' }, { requestId: 'r-1', caller: 'alice' });
    expect(backup).toMatchObject({ id: 'b1', revision: 2n ** 60n });
    expect(seen).toMatchObject({ requestId: 'r-1', caller: 'alice' });
  });

  it('keeps no id and no name of a peer that is longer than one may be', async () => {
    await client.getBackup({ id: 'b1' }, { requestId: 'r'.repeat(129), caller: 'a'.repeat(1_000) });
    expect(seen).toMatchObject({ requestId: expect.stringMatching(/^[\w-]{36}$/), caller: 'a'.repeat(256) });
    await client.getBackup({ id: 'b1' }, { requestId: 'two words' });
    expect(seen.requestId).toMatch(/^[\w-]{36}$/);
  });

  it('does not take a message that is too large for an outage that ends by itself, whoever sent it', async () => {
    const tooLarge = { code: 'internal', row: { retryable: false } };
    await expect(client.getBackup({ id: 'large' })).rejects.toMatchObject(tooLarge);
    await expect(client.getBackup({ id: 'x'.repeat(MAX_MESSAGE_BYTES) })).rejects.toMatchObject(tooLarge);
    expect((await client.getBackup({ id: 'b1' })).backup?.id).toBe('b1');
  });

  it('gives the client the error that the handler threw, with its details', async () => {
    const unknown = await client.getBackup({ id: 'unknown' }).catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(AppError);
    expect(unknown).toMatchObject({
      code: 'backup_not_found',
      message: 'There is no backup unknown.',
      details: { info: { id: 'unknown' }, retryAfterMs: 1_500 },
    });
    await expect(client.getBackup({ id: 'bad' })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'id', description: 'must not be bad' }] },
    });
  });

  it('keeps the text of a bug inside', async () => {
    const error = (await client.getBackup({ id: 'bug' }).catch((thrown: unknown) => thrown)) as AppError;
    expect(error.code).toBe('internal');
    expect(error.message).not.toContain('secret');
  });

  it('cancels the handler when the caller gives up', async () => {
    const giveUp = new AbortController();
    const call = client.getBackup({ id: 'slow' }, { signal: giveUp.signal, requestId: 'slow-1' });
    await vi.waitFor(() => expect(seen.requestId).toBe('slow-1'));
    giveUp.abort();
    await expect(call).rejects.toMatchObject({ code: 'canceled' });
    await vi.waitFor(() => expect(seen.aborted).toBe(true));
  });

  it('tells the handler how long the caller still waits', async () => {
    await client.getBackup({ id: 'b1' }, { timeoutMs: 60_000 });
    expect(seen.timeLeftMs).toBeGreaterThan(30_000);
    expect(seen.timeLeftMs).toBeLessThanOrEqual(60_000);
  });

  it('ends a call at its deadline, on both sides', async () => {
    await client.waitForReady(10_000); // connecting takes longer than the call may, on a busy machine
    await expect(client.getBackup({ id: 'slow' }, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
    await vi.waitFor(() => expect(seen.aborted).toBe(true));
  });

  it('streams, and cancels the stream when the reader leaves it', async () => {
    const revisions: bigint[] = [];
    for await (const { backup } of client.watchBackup({ id: 'b1', untilRemoved: false }))
      revisions.push(backup?.revision ?? 0n);
    expect(revisions).toEqual([1n, 2n, 3n, 4n, 5n]);
    for await (const { backup } of client.watchBackup({ id: 'endless', untilRemoved: false }))
      if (backup?.revision === 5n) break;
    await vi.waitFor(() => expect(seen.aborted).toBe(true));
  });

  it('gives the reader of a stream what was written before it failed, and then the error', async () => {
    const revisions: bigint[] = [];
    const read = async () => {
      for await (const { backup } of client.watchBackup({ id: 'broken', untilRemoved: false }))
        revisions.push(backup?.revision ?? 0n);
    };
    await expect(read()).rejects.toMatchObject({ code: 'backup_not_found' });
    expect(revisions).toHaveLength(5);
  });

  it('refuses a caller without the service token, but answers health to everybody', async () => {
    using stranger = createServiceClient<BackupServiceServer>(BackupServiceService, {
      address: `127.0.0.1:${server.port}`,
      token: 'another',
    });
    await expect(stranger.getBackup({ id: 'b1' })).rejects.toMatchObject({ code: 'internal' });
    const health = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const answer = await new Promise<Buffer>((resolve, reject) =>
      health.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.alloc(0),
        new Metadata(),
        (error, bytes) => (error ? reject(error) : resolve(bytes as Buffer)),
      ),
    );
    expect([...answer]).toEqual([8, 1]);
    health.close();
  });

  it('says unavailable when nobody listens', async () => {
    using nobody = createServiceClient<BackupServiceServer>(BackupServiceService, {
      address: '127.0.0.1:1',
      token: undefined,
    });
    await expect(nobody.getBackup({ id: 'b1' })).rejects.toMatchObject({
      code: 'unavailable',
      details: { retryAfterMs: 1_000 },
    });
    expect(status.UNAVAILABLE).toBe(14);
  });

  it('holds calls until they may be answered, and refuses those for which that is refused', async () => {
    const opening = Promise.withResolvers<void>();
    let verdict: () => Promise<void> = () => opening.promise;
    await using held = await startGrpcServer({
      ...{ host: '127.0.0.1', port: 0, token: TOKEN, log: createLogger('test'), beforeCalls: () => verdict() },
      services: [bindService<BackupServiceServer>(BackupServiceService, handlers)],
    });
    const address = `127.0.0.1:${held.port}`;
    using caller = createServiceClient<BackupServiceServer>(BackupServiceService, { address, token: TOKEN });
    seen.requestId = '';
    const waiting = caller.getBackup({ id: 'b1' }, { requestId: 'held' });
    await expect(caller.getBackup({ id: 'x'.repeat(1_000) })).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(seen.requestId).toBe('');
    opening.resolve();
    expect(await waiting).toMatchObject({ backup: { id: 'b1' } });
    expect(seen.requestId).toBe('held');
    verdict = async () => {
      throw new AppError('unavailable', 'Not yet.');
    };
    const refusal = { code: 'unavailable', message: 'Not yet.' };
    await expect(caller.getBackup({ id: 'b1' })).rejects.toMatchObject(refusal);
    const stream = caller.watchBackup({ id: 'b1', untilRemoved: false })[Symbol.asyncIterator]();
    await expect(stream.next()).rejects.toMatchObject(refusal);
  });

  it('ends open streams at once when it stops', async () => {
    const stream = client.watchBackup({ id: 'endless', untilRemoved: false })[Symbol.asyncIterator]();
    await stream.next();
    await server[Symbol.asyncDispose]();
    expect(seen.aborted).toBe(true);
  });
});
