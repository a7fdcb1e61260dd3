import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import {
  HealthClient,
  HealthCheckResponse_ServingStatus as Status,
} from '@tidemark/protocol/grpc/grpc/health/v1/health';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../logging.ts';
import { endOnDrain } from './end-on-drain.ts';
import { addHealth } from './health.ts';

describe('health', () => {
  let leaving: AbortController;
  let drain: AbortController;
  let server: Server;
  let client: HealthClient;
  let health: AsyncDisposable;
  let able: boolean;

  beforeEach(async () => {
    leaving = new AbortController();
    drain = new AbortController();
    able = true;
    server = new Server({ interceptors: [endOnDrain(drain.signal, '/grpc.')] });
    health = addHealth(server, {
      services: ['a.Service'],
      ready: async () => able,
      leaving: leaving.signal,
      log: createLogger('test'),
    });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    client = new HealthClient(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  afterEach(async () => {
    client.close();
    server.forceShutdown();
    await health[Symbol.asyncDispose]();
  });

  const check = (service: string) =>
    new Promise((resolve, reject) =>
      client.check({ service }, (error, response) => (error ? reject(error) : resolve(response.status))),
    );
  const watch = (service: string) => {
    const told: number[] = [];
    const stream = client.watch({ service });
    stream.on('data', (response) => told.push(response.status));
    const ended = new Promise((resolve) => stream.on('error', resolve));
    return { told, ended };
  };

  it('says of the process and of each service that they serve, until the process leaves', async () => {
    for (const name of ['', 'a.Service']) await vi.waitFor(async () => expect(await check(name)).toBe(Status.SERVING));
    leaving.abort();
    for (const name of ['', 'a.Service']) expect(await check(name)).toBe(Status.NOT_SERVING);
  });

  it('says of the process that it cannot serve while what it needs is away, and tells who watches', async () => {
    const { told } = watch('');
    await vi.waitFor(() => expect(told.at(-1)).toBe(Status.SERVING));
    able = false;
    await vi.waitFor(async () => expect(await check('')).toBe(Status.NOT_SERVING), 5_000);
    expect(await check('a.Service')).toBe(Status.SERVING);
    able = true;
    await vi.waitFor(async () => expect(await check('')).toBe(Status.SERVING), 5_000);
    await vi.waitFor(() => expect(told.slice(-3)).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]));
  });

  it('is not found for a service that is not served', async () => {
    await expect(check('b.Service')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it('is watched until the process stops, which ends the stream', async () => {
    const [known, unknown] = [watch('a.Service'), watch('b.Service')];
    await vi.waitFor(() => expect([known.told, unknown.told]).toEqual([[Status.SERVING], [Status.SERVICE_UNKNOWN]]));
    leaving.abort();
    drain.abort();
    for (const { ended } of [known, unknown]) expect(await ended).toMatchObject({ code: status.UNAVAILABLE });
    expect(known.told).toEqual([Status.SERVING, Status.NOT_SERVING]);
  });
});
