/**
 * Clients of HTTP/2 that take their time.
 *
 * 1. A request that does not come to its end in time is refused, and an answer that nobody takes is cut: no place is
 *    held for good.
 * 2. One connection's slow calls concern no other call.
 * 3. What lasts for as long as its client likes is a stream, with the bounds of one.
 */
import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { Health } from '@tidemark/protocol/connect/grpc/health/v1/health';
import { ServerReflection } from '@tidemark/protocol/connect/grpc/reflection/v1/reflection';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Limits } from '../edge/limits.ts';
import { refused } from '../edge/refused.ts';
import { log } from '../logger.ts';
import { as, outcomeOf, type RpcGateway, startRpcGateway } from '../testing/rpc-clients.ts';

let gateway: RpcGateway;
let session: ClientHttp2Session;
beforeEach(() => {
  for (const level of ['info', 'warn'] as const) vi.spyOn(log, level).mockImplementation(() => undefined);
});
afterEach(async () => {
  session?.destroy();
  await gateway?.[Symbol.asyncDispose]();
  vi.restoreAllMocks();
});

async function start(limits: Partial<Limits>): Promise<void> {
  gateway = await startRpcGateway({ limits });
  session = connect(`http://127.0.0.1:${gateway.grpc.port}`).on('error', () => undefined);
}

const LIST_BACKUPS = '/tidemark.backup.v1.BackupService/ListBackups';
const LIST_STORAGES = '/tidemark.backup.v1.RegistryService/ListStorages';
/** The head of a message of 50 bytes. */
const BEGUN = Buffer.from([0, 0, 0, 0, 50]);
const EMPTY = Buffer.alloc(5);

function call(path: string, token: string): ClientHttp2Stream {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  return session.request({ ...headers, authorization: `Bearer ${token}` }).on('error', () => undefined);
}

const soon = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });
const list = () => outcomeOf(gateway.client(BackupService, 'gRPC').listBackups({}, as('viewer')));
const countRefused = async (reason: string): Promise<number> => {
  const { values } = await refused.get();
  return values.find(({ labels }) => labels.reason === reason)?.value ?? 0;
};

it.each([
  ['says nothing', LIST_BACKUPS, 'admin', ''],
  ['trickles', LIST_BACKUPS, 'admin', 'x'],
  ['trickles without a token, to health', '/grpc.health.v1.Health/Check', 'nobody', 'x'],
])('a call whose client %s is told so in time, and gives its place back', async (_, path, token, drip) => {
  await start({ headersMs: 300, requestMs: 500, inFlight: 1 });
  const before = await countRefused('slow');
  const stream = call(path, token);
  stream.write(BEGUN);
  const dripping = setInterval(() => drip && !stream.destroyed && stream.write(drip), 100);
  if (token === 'admin') await soon(async () => expect(await list()).toMatchObject({ code: 'Unavailable' }));
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  expect(headers).toMatchObject({ ':status': 200 });
  const [trailers] = 'grpc-status' in headers ? [headers] : ((await once(stream.resume(), 'trailers')) as [object]);
  expect(trailers).toMatchObject({ 'grpc-status': '3', 'grpc-message': expect.stringContaining('in time') });
  await soon(() => expect(stream.destroyed).toBe(true));
  clearInterval(dripping);
  await soon(async () => expect(await list()).toBe('ok'));
  expect((await countRefused('slow')) - before).toBe(1);
  expect(gateway.calls.map(({ method }) => method)).not.toContain('getBackup');
});

const PIECE = 'x'.repeat(512 * 1024);
const answerMuch = () => {
  gateway.answers.listStorages = async () => ({
    storages: Array.from({ length: 20 }, (_, index) => ({ id: `s${index}`, root: PIECE })),
  });
};

it('an answer of which its client takes nothing is cut, and gives its place back', async () => {
  await start({ stalledMs: 400, inFlight: 1 });
  answerMuch();
  const before = await countRefused('stalled');
  const stream = call(LIST_STORAGES, 'admin').pause();
  stream.end(EMPTY);
  await once(stream, 'response');
  expect(await list()).toMatchObject({ code: 'Unavailable' });
  await soon(async () => expect(await list()).toBe('ok'));
  expect((await countRefused('stalled')) - before).toBe(1);
  expect(session.destroyed).toBe(false);
});

it('an answer that its client takes slowly is not cut, nor one that is not there yet', async () => {
  await start({ stalledMs: 1_000 });
  answerMuch();
  const much = gateway.answers.listStorages;
  gateway.answers.listStorages = async (...asked) => {
    await sleep(1_300);
    return much?.(...asked) ?? {};
  };
  const stream = call(LIST_STORAGES, 'admin');
  stream.end(EMPTY);
  const ended = once(stream, 'trailers');
  let taken = 0;
  const take = () => {
    taken += (stream.read() as Buffer | null)?.length ?? 0;
  };
  for (let turn = 0; turn < 15; turn += 1) {
    await sleep(200);
    take();
  }
  expect(taken).toBeLessThan(10 * PIECE.length);
  stream.on('data', (chunk: Buffer) => (taken += chunk.length));
  const [trailers] = (await ended) as [object];
  expect(trailers).toMatchObject({ 'grpc-status': '0' });
  expect(taken).toBeGreaterThan(20 * PIECE.length);
});

it('the slow calls of one connection concern no call beside them', async () => {
  await start({ headersMs: 300, requestMs: 400 });
  const slow = Array.from({ length: 20 }, () => call(LIST_BACKUPS, 'admin'));
  for (const stream of slow) stream.write(BEGUN);
  const good = call(LIST_BACKUPS, 'admin');
  good.end(EMPTY);
  const [headers] = (await once(good, 'response')) as [IncomingHttpHeaders];
  expect(headers[':status']).toBe(200);
  const [trailers] = (await once(good.resume(), 'trailers')) as [object];
  expect(trailers).toMatchObject({ 'grpc-status': '0' });
  await soon(() => expect(slow.filter(({ destroyed }) => !destroyed)).toEqual([]));
});

it('one token takes not all the room there is: 429, and the others go on', async () => {
  await start({ inFlight: 10, inFlightPerToken: 2 });
  const held = Promise.withResolvers<void>();
  let waiting = 0;
  // A call that may take longer than others, so that a busy machine does not end it first.
  gateway.answers.checkStorage = async () => {
    waiting += 1;
    await held.promise;
    return {};
  };
  const check = () =>
    outcomeOf(gateway.client(RegistryService, 'gRPC').checkStorage({ storageId: 'nfs' }, as('admin')));
  const first = [check(), check()];
  await soon(() => expect(waiting).toBe(2));
  const told = { code: 'ResourceExhausted', reason: 'tidemark/too_many_requests', retryMs: 1_000 };
  expect(await check()).toMatchObject(told);
  expect((await gateway.ask('GET', '/storages')).status).toBe(429);
  expect(await list()).toBe('ok');
  held.resolve();
  expect(await Promise.all(first)).toEqual(['ok', 'ok']);
  expect(await check()).toBe('ok');
});

it('reflection is a stream of its token: as many as there may be, beside the calls, and for so long', async () => {
  await start({ inFlight: 1, streamsPerToken: 1, streamMs: 1_500 });
  const client = createClient(ServerReflection, gateway.transports.gRPC);
  const asking = async function* () {
    yield { messageRequest: { case: 'listServices', value: '' } as const };
    await new Promise<never>(() => undefined);
  };
  const reflect = async (onAnswer = () => {}) => {
    for await (const _ of client.serverReflectionInfo(asking(), as('viewer'))) onAnswer();
  };
  const begun = Promise.withResolvers<void>();
  const first = reflect(begun.resolve).catch((error: unknown) => ConnectError.from(error));
  await begun.promise;
  expect(await list()).toBe('ok');
  await expect(reflect()).rejects.toMatchObject({ code: Code.ResourceExhausted });
  expect(await first).toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringContaining('call again') });
  await expect(reflect()).rejects.toMatchObject({ code: Code.Unavailable });
});

it('a watch of health ends with the time of a stream', async () => {
  await start({ streamMs: 300 });
  const told: number[] = [];
  const client = createClient(Health, gateway.transports.gRPC);
  for await (const { status } of client.watch({})) told.push(status);
  expect(told).toEqual([1]);
});
