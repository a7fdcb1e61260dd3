import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import {
  HealthClient,
  HealthService,
  HealthCheckResponse_ServingStatus as Status,
} from '@tidemark/protocol/grpc/grpc/health/v1/health';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { healthOf } from './health.ts';

describe('health', () => {
  let stopping: AbortController;
  let server: Server;
  let client: HealthClient;

  beforeEach(async () => {
    stopping = new AbortController();
    server = new Server();
    server.addService(HealthService, healthOf(['a.Service'], stopping.signal));
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    client = new HealthClient(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  afterEach(() => {
    client.close();
    server.forceShutdown();
  });

  const check = (service: string) =>
    new Promise((resolve, reject) =>
      client.check({ service }, (error, response) => (error ? reject(error) : resolve(response.status))),
    );
  const watch = (service: string) => {
    const told: number[] = [];
    const stream = client.watch({ service });
    stream.on('data', (response) => told.push(response.status));
    const ended = new Promise((resolve) => stream.on('end', resolve));
    return { told, ended };
  };

  it('is told of the process and of each service, until it stops', async () => {
    for (const name of ['', 'a.Service']) expect(await check(name)).toBe(Status.SERVING);
    stopping.abort();
    for (const name of ['', 'a.Service']) expect(await check(name)).toBe(Status.NOT_SERVING);
  });

  it('is not found for a service that is not served', async () => {
    await expect(check('b.Service')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it('is watched until the process stops, which ends the stream', async () => {
    const [known, unknown] = [watch('a.Service'), watch('b.Service')];
    await vi.waitFor(() => expect([known.told, unknown.told]).toEqual([[Status.SERVING], [Status.SERVICE_UNKNOWN]]));
    stopping.abort();
    await Promise.all([known.ended, unknown.ended]);
    expect(known.told).toEqual([Status.SERVING, Status.NOT_SERVING]);
    expect(unknown.told).toEqual([Status.SERVICE_UNKNOWN]);
  });
});
