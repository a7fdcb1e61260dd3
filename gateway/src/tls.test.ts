/** The gateway's own listener over TLS, and its channels with certificates on both sides: real sockets, real files. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { type ChannelCredentials, Client, credentials } from '@grpc/grpc-js';
import { configReader } from '@tidemark/service-kit/env';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { openTransportSecurity, readTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { createLogger } from '@tidemark/service-kit/logging';
import {
  type TestAuthority,
  testAuthority,
  tlsSettings,
  writeCertificate,
} from '@tidemark/service-kit/testing/certificates';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import { startGateway } from './service.ts';

const TOKEN = randomUUID();
/** A HealthCheckResponse that says SERVING. */
const SERVING = '0801';

let stack: AsyncDisposableStack;
let folder: string;
let authority: TestAuthority;
let base: Record<string, string>;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = mkdtempSync(join(tmpdir(), 'tidemark-gateway-tls-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  authority = await testAuthority();
  const tokensFile = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  writeFileSync(
    tokensFile,
    JSON.stringify({ tokens: [{ id: 't1', name: 'script', sha256, role: 'admin', clusters: ['*'] }] }),
  );
  base = {
    TIDEMARK_PORT: '0',
    TIDEMARK_GRPC_PORT: '0',
    TIDEMARK_OPERATIONS_PORT: '0',
    TIDEMARK_TOKENS_FILE: tokensFile,
  };
});
afterEach(() => stack.disposeAsync());

async function listenerSettings(): Promise<Record<string, string>> {
  const { certFile, keyFile } = writeCertificate(folder, 'gateway', await authority.sign({ names: ['localhost'] }));
  return { TIDEMARK_GATEWAY_TLS_CERT_FILE: certFile, TIDEMARK_GATEWAY_TLS_KEY_FILE: keyFile };
}

describe('the listener of the gateway', () => {
  const over = (port: number, options: ConnectionOptions = {}) =>
    new Promise<TLSSocket>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.ca, ...options });
      socket.once('secureConnect', () => resolve(socket));
      socket.once('error', reject);
    });
  const shown = async (port: number): Promise<PeerCertificate> => {
    const socket = await over(port);
    const certificate = socket.getPeerCertificate();
    socket.destroy();
    return certificate;
  };

  it('answers over HTTPS with TLS 1.2 or later, and to nothing older', async () => {
    const { port } = stack.use(await startGateway(toConfig({ ...base, ...(await listenerSettings()) })));
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      request(
        {
          port,
          host: 'localhost',
          family: 4,
          path: '/api/v1/backups?page=-1',
          ca: authority.ca,
          headers: { authorization: `Bearer ${TOKEN}` },
        },
        (response) => {
          void text(response).then((body) => resolve({ status: response.statusCode, body }), reject);
        },
      )
        .on('error', reject)
        .end();
    });
    expect(answer.status, answer.body).toBe(400); // let in, and told what is wrong with the page
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await over(port, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    await expect(
      over(port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/SSL|ECONNRESET|PROTOCOL/) });
  });

  it('does not answer who speaks in the clear, and goes on', async () => {
    const { port } = stack.use(await startGateway(toConfig({ ...base, ...(await listenerSettings()) })));
    const socket = connectPlain(port, '127.0.0.1').on('error', () => undefined);
    socket.write('GET /api/v1/backups HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await text(socket).catch(() => '')).not.toContain('HTTP/1.1 200');
    expect((await shown(port)).subject.CN).toBe('localhost');
  });

  it('does not wait for who connects and says nothing, at either port', async () => {
    const env = { ...(await listenerSettings()), TIDEMARK_HEADERS_SECONDS: '0.3' };
    const { port, grpcPort } = stack.use(await startGateway(toConfig({ ...base, ...env })));
    for (const one of [port, grpcPort]) {
      const socket = connectPlain(one, '127.0.0.1').on('error', () => undefined);
      expect(await text(socket).catch(() => '')).toBe('');
    }
  });

  it('shows the renewed certificate once both files are there, and breaks no connection', async () => {
    const env = await listenerSettings();
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const { port } = stack.use(await startGateway(toConfig({ ...base, ...env })));
    const look = () => vi.advanceTimersByTime(5_000);
    const kept = await over(port);
    const before = (await shown(port)).serialNumber;
    const { cert, key } = await authority.sign({ names: ['localhost'] });
    writeCertificate(folder, 'gateway', { cert });
    look();
    expect((await shown(port)).serialNumber).toBe(before);
    writeCertificate(folder, 'gateway', { key });
    await vi.waitFor(
      async () => {
        look();
        expect((await shown(port)).serialNumber).not.toBe(before);
      },
      { timeout: 10_000 },
    );
    vi.useRealTimers();
    kept.write('GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await text(kept)).toMatch(/^HTTP\/1.1 404 /);
  });

  it('speaks TLS for gRPC too, with the same certificate, which is renewed at both ports together', async () => {
    const env = await listenerSettings();
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const { port, grpcPort } = stack.use(await startGateway(toConfig({ ...base, ...env })));
    const reached = (trusted: ChannelCredentials) => {
      const client = stack.adopt(new Client(`localhost:${grpcPort}`, trusted), (it) => it.close());
      return new Promise<string>((resolve) => {
        client.makeUnaryRequest(
          '/grpc.health.v1.Health/Check',
          (bytes: Buffer) => bytes,
          (bytes: Buffer) => bytes,
          Buffer.alloc(0),
          { deadline: Date.now() + 10_000 },
          (error, bytes) => resolve(error ? `refused: ${error.code}` : (bytes ?? Buffer.alloc(0)).toString('hex')),
        );
      });
    };
    const trusted = credentials.createSsl(Buffer.from(authority.ca));
    expect(await reached(trusted)).toBe(SERVING);
    expect(await reached(credentials.createInsecure())).toMatch(/^refused/);
    expect(await reached(credentials.createSsl(Buffer.from((await testAuthority()).ca)))).toMatch(/^refused/);

    const before = (await shown(port)).serialNumber;
    expect((await shown(grpcPort)).serialNumber).toBe(before);
    writeCertificate(folder, 'gateway', await authority.sign({ names: ['localhost'] }));
    await vi.waitFor(
      async () => {
        vi.advanceTimersByTime(5_000);
        expect((await shown(port)).serialNumber).not.toBe(before);
      },
      { timeout: 10_000 },
    );
    expect((await shown(grpcPort)).serialNumber).toBe((await shown(port)).serialNumber);
    vi.useRealTimers();
    expect(await reached(trusted)).toBe(SERVING);
  });

  it('may be reached by others with a certificate, and not without one', async () => {
    expect(() => toConfig({ ...base, TIDEMARK_HOST: '0.0.0.0', TIDEMARK_SERVICE_TOKEN: 'between-us' })).toThrow(
      /TIDEMARK_HOST is 0\.0\.0\.0.*TIDEMARK_GATEWAY_TLS_CERT_FILE.*proxy.*TIDEMARK_ALLOW_OPEN=true/,
    );
    expect(toConfig({ ...base, TIDEMARK_HOST: '0.0.0.0', ...(await listenerSettings()) }).host).toBe('0.0.0.0');
  });

  it('has an operations listener beside it that can be bound elsewhere', async () => {
    const config = toConfig({
      ...base,
      TIDEMARK_HOST: '0.0.0.0',
      ...(await listenerSettings()),
      TIDEMARK_OPERATIONS_HOST: '127.0.0.1',
    });
    expect(config).toMatchObject({ host: '0.0.0.0', operationsHost: '127.0.0.1' });
    expect(toConfig({ ...base, TIDEMARK_HOST: '127.0.0.2' }).operationsHost).toBe('127.0.0.2');
  });
});

it('reaches its services with a certificate of its own, and is not ready without one', async () => {
  const signed = async (name: string) =>
    tlsSettings(
      writeCertificate(folder, name, { ...(await authority.sign({ names: ['localhost'] })), ca: authority.ca }),
    );
  const security = readTransportSecurity(configReader(await signed('service')), {});
  const log = createLogger('test');
  const certificate = stack.use(openTransportSecurity(security, { log }));
  const service = stack.use(
    await startGrpcServer({ host: '127.0.0.1', port: 0, token: undefined, certificate, log, services: [] }),
  );
  const services = Object.fromEntries(
    ['STRATEGY', 'BACKUP', 'SCHEDULER'].map((name) => [`TIDEMARK_${name}_SERVICE`, `localhost:${service.port}`]),
  );
  const ready = async (env: Record<string, string>) => {
    const { operationsPort } = stack.use(await startGateway(toConfig({ ...base, ...services, ...env })));
    return (await fetch(`http://127.0.0.1:${operationsPort}/readyz`)).status;
  };
  expect(await ready(await signed('client'))).toBe(200);
  expect(await ready({})).toBe(503);
});
