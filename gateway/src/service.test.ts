/** The gateway as it runs: real channels, real listeners, and services that are up, down, stopping or mute. */
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type GrpcServer, startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { createLogger } from '@tidemark/service-kit/logging';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import { type RunningGateway, startGateway } from './service.ts';
import { CLUSTER } from './testing/programmable-backends.ts';
import { OWN, SAMPLES } from './testing/rpc-samples.ts';
import { startStopwatch } from './testing/stopwatch.ts';

const TOKEN = randomUUID();
const HEADERS = { authorization: `Bearer ${TOKEN}` };

let stack: AsyncDisposableStack;
let tokensFile: string;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-gateway-'));
  stack.defer(() => rm(folder, { recursive: true }));
  tokensFile = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  await writeFile(
    tokensFile,
    JSON.stringify({ tokens: [{ id: 't1', name: 'script', sha256, role: 'admin', clusters: ['*'] }] }),
  );
});
afterEach(() => stack.disposeAsync());

/** A service that has health and nothing else. */
const startService = async (): Promise<GrpcServer> =>
  stack.use(
    await startGrpcServer({ host: '127.0.0.1', port: 0, token: 'secret', log: createLogger('test'), services: [] }),
  );

/** A peer that takes connections and never says a word: a frozen process, or a black hole in the network. */
async function startMutePeer(): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function start(
  backupPort: number,
  otherPort = backupPort,
  env: Record<string, string> = {},
): Promise<RunningGateway> {
  const at = (port: number) => `127.0.0.1:${port}`;
  return stack.use(
    await startGateway(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_GRPC_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_STRATEGY_SERVICE: at(otherPort),
        TIDEMARK_BACKUP_SERVICE: at(backupPort),
        TIDEMARK_SCHEDULER_SERVICE: at(otherPort),
        TIDEMARK_SERVICE_TOKEN: 'secret',
        TIDEMARK_TOKENS_FILE: tokensFile,
        TIDEMARK_RATE_PER_SECOND: '1000',
        TIDEMARK_RATE_BURST: '1000',
        ...env,
      }),
    ),
  );
}

describe('a service that cannot be reached', () => {
  it.each([
    ['refuses connections', freePort],
    ['takes connections and is mute', startMutePeer],
  ])('and %s is a 503 with Retry-After within 2 s, for every documented call', async (_, peer) => {
    const { port } = await start(await peer());
    const call = async (method: string, path: string, number: number, body?: object) => {
      const stopwatch = startStopwatch();
      const response = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
        method,
        headers: HEADERS,
        ...(body && { body: JSON.stringify(body) }),
      });
      const answer = (await response.json()) as { code: number };
      expect([path, response.status, answer.code]).toEqual([path, 503, number]);
      expect(response.headers.get('retry-after')).toMatch(/^[1-9]/);
      expect(stopwatch.elapsedMs()).toBeLessThan(2_000);
    };
    await Promise.all([
      call('GET', `/clusters/${CLUSTER}/strategy`, 20606),
      call('PUT', `/clusters/${CLUSTER}/strategy`, 20605, { strategy: { backupDate: 'Monday' } }),
      call('POST', '/backups', 20602, { clusterId: CLUSTER }),
      call('POST', '/backups/cancel', 20602, { clusterId: CLUSTER, backupId: 'x' }),
      call('GET', '/backups', 20604),
      call('DELETE', '/backups/x', 20603),
    ]);
  });

  it.each([
    ['refuses connections', freePort],
    ['takes connections and is mute', startMutePeer],
  ])('and %s is a 503 with Retry-After within 2 s, for every other call too', async (_, peer) => {
    const { port } = await start(await peer());
    const ask = async (method: string, path: string, body: object = {}) => {
      const stopwatch = startStopwatch();
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { ...HEADERS, 'content-type': 'application/json' },
        ...(method !== 'GET' && { body: JSON.stringify(body) }),
      });
      await response.text();
      expect([method, path, response.status]).toEqual([method, path, 503]);
      expect(response.headers.get('retry-after')).toMatch(/^[1-9]/);
      expect([path, stopwatch.elapsedMs()]).toEqual([path, expect.toSatisfy((ms: number) => ms < 2_000)]);
    };
    const rest = SAMPLES.flatMap((sample) => (sample.rest ? [sample.rest(OWN)] : []));
    expect(rest.length).toBeGreaterThan(25);
    await Promise.all([
      ...rest.map(([method, path, body]) => ask(method, `/api/v1${path}`, body)),
      ask('POST', '/tidemark.backup.v1.RegistryService/CheckStorage', { storageId: 'nfs' }),
    ]);
  });
});

describe('readiness', () => {
  const readiness = async ({ operationsPort }: RunningGateway) => {
    const response = await fetch(`http://127.0.0.1:${operationsPort}/readyz`);
    return { status: response.status, text: await response.text() };
  };

  it('follows the health of the services: serving, stopping, gone', async () => {
    const backup = await startService();
    const others = await startService();
    const gateway = await start(backup.port, others.port);
    expect((await readiness(gateway)).status).toBe(200);
    backup.stopping();
    await vi.waitFor(async () => {
      const { status, text: said } = await readiness(gateway);
      expect(status).toBe(503);
      expect(said).toContain('backup-service');
    });
    await others[Symbol.asyncDispose]();
    expect(await readiness(gateway)).toMatchObject({ status: 503, text: expect.stringContaining('strategy-service') });
  });

  it('does not take a peer that is mute for a healthy one, and never hangs', async () => {
    const gateway = await start(await startMutePeer());
    const stopwatch = startStopwatch();
    expect((await readiness(gateway)).status).toBe(503);
    expect(stopwatch.elapsedMs()).toBeLessThan(2_500);
  });

  it('needs tokens that can be read', async () => {
    const gateway = await start((await startService()).port);
    await writeFile(tokensFile, '{"tokens":[{"id":');
    await vi.waitFor(
      async () =>
        expect(await readiness(gateway)).toMatchObject({ status: 503, text: expect.stringContaining('tokens') }),
      5_000,
    );
    // Nobody can be judged, so nobody is called a stranger.
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/api/v1/backups`, { headers: HEADERS });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    expect((await fetch(`http://127.0.0.1:${gateway.port}/api/v1/backups`)).status).toBe(401);
  });
});

it('says in /readyz that the audit file cannot be written', async () => {
  const service = await startService();
  const gateway = await start(service.port, service.port, { TIDEMARK_AUDIT_FILE: join(tokensFile, 'no folder') });
  const response = await fetch(`http://127.0.0.1:${gateway.operationsPort}/readyz`);
  expect(response.status).toBe(503);
  expect(((await response.json()) as { checks: object }).checks).toMatchObject({
    audit: expect.stringContaining('audit file cannot be written (ENOTDIR)'),
    tokens: 'ok',
  });
});

it('knows its tokens from the first request on, however many come at once', async () => {
  const { port } = await start(await freePort());
  const statuses = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { status } = await fetch(`http://127.0.0.1:${port}/api/v1/backups?page=-1`, { headers: HEADERS });
      return status;
    }),
  );
  expect(new Set(statuses)).toEqual(new Set([400])); // let in, and told what is wrong with the page
});

describe('a request that is not even HTTP', () => {
  it.each([
    ['garbage', 'no such thing\r\n\r\n', 400],
    ['a header of 20 KB', `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('such as %s has the envelope too', async (_, bytes, status) => {
    const { port } = await start(await freePort());
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined); // closed while we may still be writing
    socket.write(bytes);
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/x-request-id: \S+/i);
    expect(JSON.parse(body)).toMatchObject({ code: 10001, data: {}, requestId: expect.stringMatching(/\S/) });
  });
});

describe('stopping', () => {
  it('does not wait for connections that are kept alive', async () => {
    const gateway = await start((await startService()).port);
    await (await fetch(`http://127.0.0.1:${gateway.port}/api/v1/backups?page=-1`, { headers: HEADERS })).text();
    const stopwatch = startStopwatch();
    await gateway[Symbol.asyncDispose]();
    expect(stopwatch.elapsedMs()).toBeLessThan(2_000);
  });
});
