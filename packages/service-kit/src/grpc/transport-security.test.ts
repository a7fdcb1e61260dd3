/**
 * Processes that know each other by certificates, over real connections.
 *
 * 1. Without a certificate of the same authority nobody gets a word in; with a service token set, that is needed as well.
 * 2. A renewed certificate, and a new authority, are taken without a restart and without a failed call.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { configReader } from '../env.ts';
import { createLogger, type Logger } from '../logging.ts';
import { type TestAuthority, testAuthority, tlsSettings, writeCertificate } from '../testing/certificates.ts';
import { bindService, type Handlers } from './bind-service.ts';
import { createServiceClient, type ServiceClient } from './client.ts';
import { type GrpcServer, startGrpcServer } from './server.ts';
import { openTransportSecurity, readTransportSecurity } from './transport-security.ts';

interface Line {
  readonly fields: { readonly certificate?: string };
  readonly text: string;
}
const HOUR = 3_600_000;
const MUTE = createLogger('test');

let stack: AsyncDisposableStack;
let folder: string;
let authority: TestAuthority;
let lines: Line[];
let log: Logger;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = mkdtempSync(join(tmpdir(), 'tidemark-mtls-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  authority = await testAuthority();
  lines = [];
  const note = (fields: object, text: string) => void lines.push({ fields: { ...fields }, text });
  log = { debug: note, info: note, warn: note, error: note, child: () => log };
});
afterEach(() => stack.disposeAsync());

const handlers = {
  getBackup: async ({ id }: { id: string }) => ({ backup: Backup.create({ id }) }),
} as unknown as Handlers<BackupServiceServer>;
// A service of one method is enough here.
const { getBackup } = BackupServiceService;
const definition = { getBackup };

/** The settings of a process, over files of its own. */
function settings(env: Record<string, string>, over: Parameters<typeof readTransportSecurity>[1] = {}) {
  const reader = configReader(env);
  const security = readTransportSecurity(reader, over);
  reader.finish();
  return security;
}

async function signed(
  name: string,
  {
    by = authority,
    trusts = by.ca,
    ...options
  }: Partial<Parameters<TestAuthority['sign']>[0]> & {
    by?: TestAuthority;
    trusts?: string;
  } = {},
) {
  const files = writeCertificate(folder, name, {
    ...(await by.sign({ names: ['localhost'], commonName: name, ...options })),
    ca: trusts,
  });
  return tlsSettings(files);
}

async function serve(env: Record<string, string>): Promise<GrpcServer> {
  const security = settings(env);
  return stack.use(
    await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      token: security.serviceToken,
      certificate: stack.use(openTransportSecurity(security, { log, everyMs: 20 })),
      log,
      services: [bindService<BackupServiceServer>(definition, handlers)],
    }),
  );
}

function client(port: number, env: Record<string, string>, host = 'localhost'): ServiceClient<BackupServiceServer> {
  const security = settings(env);
  return stack.use(
    createServiceClient<BackupServiceServer>(definition, {
      address: `${host}:${port}`,
      token: security.serviceToken,
      certificate: stack.use(openTransportSecurity(security, { log: MUTE, everyMs: 20 })),
    }),
  );
}

const ask = (who: ServiceClient<BackupServiceServer>) => who.getBackup({ id: 'b1' }, { timeoutMs: 3_000 });
const REFUSED = { code: 'unavailable' };

describe('with mutual TLS', () => {
  it('both sides are known, and the name of the peer stands in the line of the call beside the caller', async () => {
    const { port } = await serve(await signed('backup-service'));
    const gateway = client(port, await signed('gateway'));
    await gateway.getBackup({ id: 'b1' }, { caller: 'alice', requestId: 'r-1' });
    const line = lines.find(({ text }) => text === 'call answered');
    expect(line?.fields).toMatchObject({ peer: 'gateway', caller: 'alice', requestId: 'r-1' });
  });

  it('a peer of another authority is refused by the server', async () => {
    const { port } = await serve(await signed('backup-service'));
    const other = await testAuthority();
    await expect(
      ask(client(port, await signed('stranger', { by: other, trusts: `${other.ca}\n${authority.ca}` }))),
    ).rejects.toMatchObject(REFUSED);
  });

  it('a server of another authority is refused by the client', async () => {
    const other = await testAuthority();
    const { port } = await serve(await signed('impostor', { by: other, trusts: `${other.ca}\n${authority.ca}` }));
    await expect(ask(client(port, await signed('gateway')))).rejects.toMatchObject(REFUSED);
  });

  it('a server whose certificate has another name is refused, unless that name is the one to expect', async () => {
    const { port } = await serve(await signed('backup-service', { names: ['backup.internal'] }));
    const env = await signed('gateway');
    await expect(ask(client(port, env))).rejects.toMatchObject(REFUSED);
    const told = { ...env, TIDEMARK_TLS_SERVER_NAME: 'backup.internal' };
    await expect(ask(client(port, told))).resolves.toMatchObject({ backup: { id: 'b1' } });
    await expect(ask(client(port, told, '127.0.0.1'))).resolves.toMatchObject({ backup: { id: 'b1' } });
  });

  it('a peer without a certificate, or in the clear, gets nowhere, not even to the health service', async () => {
    const { port } = await serve(await signed('backup-service'));
    await expect(ask(client(port, {}))).rejects.toMatchObject(REFUSED);
    const socket = connect({
      port,
      host: '127.0.0.1',
      ca: authority.ca,
      servername: 'localhost',
      ALPNProtocols: ['h2'],
    });
    const ended = new Promise<string>((resolve) => {
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on('close', () => resolve('closed'));
      socket.resume();
    });
    expect(await ended).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET|closed/);
  });

  it('a peer whose certificate has expired is refused, and does not knock without end', async () => {
    const { port } = await serve(await signed('backup-service'));
    const connections = await countingProxy(port);
    const soon = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1_000);
    const env = await signed('late', { notAfter: soon });
    const late = client(connections.port, env);
    await sleep(soon.getTime() - Date.now() + 100);
    const call = late.getBackup({ id: 'b1' }, { timeoutMs: 1_500 });
    await expect(call).rejects.toMatchObject({ code: expect.stringMatching(/unavailable|deadline_exceeded/) });
    expect(connections.count()).toBeLessThan(20);
  });

  it('the service token is needed as well, where one is set', async () => {
    const { port } = await serve({ ...(await signed('backup-service')), TIDEMARK_SERVICE_TOKEN: 'between-us' });
    const env = await signed('gateway');
    await expect(ask(client(port, env))).rejects.toMatchObject({ message: 'A service refused the token of another.' });
    await expect(ask(client(port, { ...env, TIDEMARK_SERVICE_TOKEN: 'between-us' }))).resolves.toBeDefined();
  });

  it('renewed certificates and a new authority are taken by both sides while calls go on, and none fails', async () => {
    const { port } = await serve(await signed('backup-service'));
    const env = await signed('gateway');
    const gateway = client(port, env);
    let calls = 0;
    let going = true;
    const busy = (async () => {
      for (; going; calls += 1) await ask(gateway);
    })();
    const next = await testAuthority('The next authority');
    const both = `${authority.ca}\n${next.ca}`;
    const inUse = (name: string, how: number) =>
      vi.waitFor(() => {
        const told = lines.filter(
          ({ text, fields: { certificate } }) => text === 'a renewed certificate is in use' && certificate === name,
        );
        expect(told).toHaveLength(how);
      });
    // The recipe of docs/security.md: first everybody trusts both, then everybody is renewed, then the old one goes.
    for (const name of ['backup-service', 'gateway']) writeCertificate(folder, name, { ca: both });
    await inUse('backup-service', 1);
    for (const name of ['backup-service', 'gateway']) {
      const { cert, key } = await next.sign({
        names: ['localhost'],
        commonName: name,
        notAfter: new Date(Date.now() + 9 * HOUR),
      });
      writeCertificate(folder, name, { cert });
      await sleep(60); // both sides look at the half of it
      writeCertificate(folder, name, { key });
    }
    await inUse('backup-service', 2);
    for (const name of ['backup-service', 'gateway']) writeCertificate(folder, name, { ca: next.ca });
    await inUse('backup-service', 3);
    // Whoever comes now sees only the new ones, and who still has the old one stays outside.
    await expect(ask(client(port, env))).resolves.toBeDefined();
    await expect(ask(client(port, await signed('left-behind', { trusts: both })))).rejects.toMatchObject(REFUSED);
    const before = calls;
    await vi.waitFor(() => expect(calls).toBeGreaterThan(before));
    going = false;
    await busy;
  });
});

describe('without certificates', () => {
  it('the service token alone lets in', async () => {
    const { port } = await serve({ TIDEMARK_SERVICE_TOKEN: 'between-us' });
    await expect(ask(client(port, { TIDEMARK_SERVICE_TOKEN: 'between-us' }))).resolves.toBeDefined();
    await expect(ask(client(port, {}))).rejects.toMatchObject({ message: 'A service refused the token of another.' });
  });

  it('a process that others could reach does not start, and says how to go on', () => {
    expect(() => settings({}, { listensOn: '0.0.0.0' })).toThrow(
      /TIDEMARK_HOST is 0\.0\.0\.0.*TIDEMARK_TLS_CERT_FILE.*TIDEMARK_SERVICE_TOKEN_FILE.*TIDEMARK_ALLOW_OPEN=true/,
    );
    expect(settings({}, { listensOn: '127.0.0.1' }).securityWarnings).toEqual([]);
  });

  it('a token lets it start, and it says once that nothing is encrypted', () => {
    const token = { TIDEMARK_SERVICE_TOKEN: 'between-us' };
    const security = settings(token, { listensOn: '0.0.0.0' });
    openTransportSecurity(security, { log });
    expect(lines).toEqual([{ fields: {}, text: expect.stringMatching(/service token .* travels in the clear/) }]);
    const far = { TIDEMARK_BACKUP_SERVICE: { host: 'backup.internal', port: 4118 } };
    expect(settings(token, { calls: far }).securityWarnings).toEqual([
      expect.stringContaining('between this process and backup.internal travels in the clear'),
    ]);
    const near = { A: { host: 'ipv4:127.0.0.1:4118,127.0.0.1', port: 5118 }, B: { host: '[::1]', port: 1 } };
    expect(settings(token, { listensOn: 'localhost', calls: near }).securityWarnings).toEqual([]);
  });
});

describe('with certificates', () => {
  it('a process may listen for others without a token, and has nothing to warn of', async () => {
    const security = settings(await signed('backup-service'), { listensOn: '0.0.0.0' });
    expect(security).toMatchObject({ serviceToken: undefined, securityWarnings: [] });
  });

  it('a peer that is called by its number needs a name to check', async () => {
    const env = await signed('gateway');
    const calls = { TIDEMARK_BACKUP_SERVICE: { host: '10.0.0.7', port: 4118 } };
    expect(() => settings(env, { calls })).toThrow(
      /TIDEMARK_BACKUP_SERVICE is the number 10\.0\.0\.7.*TIDEMARK_TLS_SERVER_NAME/,
    );
    expect(settings({ ...env, TIDEMARK_TLS_SERVER_NAME: 'tidemark' }, { calls }).tls?.serverName).toBe('tidemark');
  });
});

/** Passes bytes on and counts connections. */
async function countingProxy(target: number): Promise<{ port: number; count(): number }> {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    count += 1;
    const onward = new (socket.constructor as typeof Socket)().connect(target, '127.0.0.1');
    for (const one of [socket, onward]) sockets.add(one.on('error', () => undefined));
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stack.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, count: () => count };
}
