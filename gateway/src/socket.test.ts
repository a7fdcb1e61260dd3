/** What only shows over a real socket. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { AppError } from '@tidemark/errors/app-error';
import { BackupState } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { accessLog } from './logger.ts';
import { BACKUP, CLUSTER, sampleBackup } from './testing/programmable-backends.ts';
import { startStopwatch } from './testing/stopwatch.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
let port: number;
beforeEach(async () => {
  gateway = await startTestGateway();
  port = await gateway.listen();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await gateway[Symbol.asyncDispose]();
});

const HEADERS = { authorization: 'Bearer admin', 'content-type': 'application/json' };
const url = (path: string) => `http://127.0.0.1:${port}/api/v1${path}`;

describe('over a real socket', () => {
  it.each([
    [
      'PUT',
      `/clusters/${CLUSTER}/strategy`,
      { strategy: { backupDate: 'Monday', period: '1:00-2:00' } },
      'saveStrategy',
    ],
    ['POST', '/backups/', { clusterId: CLUSTER }, 'startBackup'],
    ['POST', '/backups/cancel', { clusterId: CLUSTER, backupId: BACKUP }, 'cancelBackup'],
    ['DELETE', `/backups/${BACKUP}`, { clusterId: CLUSTER }, 'deleteBackup'],
  ] as const)('%s %s with a body reaches a service that takes its time', async (method, path, body, call) => {
    const answer = gateway.answers[call] as (...all: unknown[]) => Promise<unknown>;
    let aborted = false;
    gateway.answers[call] = (async (request: unknown, context: { signal: AbortSignal }) => {
      context.signal.addEventListener('abort', () => (aborted = true), { once: true });
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(aborted).toBe(false);
      return answer(request, context);
    }) as never;
    const response = await fetch(url(path), { method, headers: HEADERS, body: JSON.stringify(body) });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ code: 0 });
  });

  it.each(['GET', 'DELETE', 'POST', 'PUT'])('%s with a JSON content type and no body is answered', async (method) => {
    const path =
      method === 'DELETE' ? `/backups/${BACKUP}` : method === 'PUT' ? `/clusters/${CLUSTER}/strategy` : '/backups';
    const response = await fetch(url(path), { method, headers: HEADERS });
    expect(response.status).toBe(method === 'GET' || method === 'DELETE' ? 200 : 400);
  });

  it('reads the body of a GET, with a length and in chunks', async () => {
    const body = JSON.stringify({ clusterId: CLUSTER, page: 2 });
    for (const framing of [{ 'content-length': body.length }, { 'transfer-encoding': 'chunked' }]) {
      const sent = httpRequest(url('/backups'), { method: 'GET', headers: { ...HEADERS, ...framing } });
      sent.end(body);
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      expect(JSON.parse(await text(response))).toMatchObject({ code: 0, page: { page: 2 } });
      expect(gateway.received('listBackups').request.clusterIds).toEqual([CLUSTER]);
    }
  });

  it('reads a body that comes without any content type', async () => {
    const body = Buffer.from(JSON.stringify({ clusterId: CLUSTER }));
    const { authorization } = HEADERS;
    const response = await fetch(url('/backups'), { method: 'POST', headers: { authorization }, body });
    expect(await response.json()).toMatchObject({ code: 0, data: { backupId: BACKUP } });
  });

  it('cancels the call to a service when the client goes away', async () => {
    const seen = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<void>();
    gateway.answers.listBackups = async (_, { signal }) => {
      signal.addEventListener('abort', () => aborted.resolve(), { once: true });
      seen.resolve();
      await aborted.promise;
      return {};
    };
    const leave = new AbortController();
    const call = fetch(url('/backups'), { headers: HEADERS, signal: leave.signal });
    await seen.promise;
    const stopwatch = startStopwatch();
    leave.abort();
    await expect(call).rejects.toThrow();
    await aborted.promise;
    expect(stopwatch.elapsedMs()).toBeLessThan(1_300); // not the deadline, which is 1.4 s
  });

  it.each(['/api/v1/backups/%', '/api/v1/backups/%zz', '/%E0%A4%A', '/api/v1/clusters/%C0%AE/strategy'])(
    'the path %s, which cannot be decoded, is a 400 and leaves the gateway alive',
    async (path) => {
      expect(await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1.1 400 [\s\S]*x-request-id: [\s\S]*"code":10001/,
      );
      expect((await fetch(url('/backups'), { headers: HEADERS })).status).toBe(200);
    },
  );

  it.each(['..', '.', '../../../etc/passwd', '..;', '....//'])(
    'an unencoded %s as an id is not followed',
    async (id) => {
      const head = 'Host: x\r\nAuthorization: Bearer admin\r\nConnection: close';
      for (const path of [`/api/v1/backups/${id}`, `/api/v1/clusters/${id}/strategy`])
        expect(await raw(`GET ${path} HTTP/1.1\r\n${head}\r\n\r\n`)).toMatch(
          /^HTTP\/1.1 (400|404) [\s\S]*"code":10001/,
        );
      expect(gateway.calls).toEqual([]);
    },
  );

  it.each(['PROPFIND', 'SEARCH', 'TRACE'])(
    'the method %s, which no route has, is a 405 in the envelope',
    async (method) => {
      expect(await raw(`${method} /api/v1/backups HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(
        /^HTTP\/1.1 405 [\s\S]*allow: GET, HEAD, OPTIONS, POST[\s\S]*"code":10001/,
      );
    },
  );

  it('a body over 1 MiB is a 413 in the envelope, announced or not', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    const announced = await fetch(url('/backups'), { method: 'POST', headers: HEADERS, body });
    expect(announced.status).toBe(413);
    expect(await announced.json()).toMatchObject({ code: 10001, data: {} });
    const sent = httpRequest(url('/backups'), {
      method: 'POST',
      headers: { ...HEADERS, 'transfer-encoding': 'chunked' },
    });
    sent.on('error', () => undefined); // the test ends before all was sent
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    expect(JSON.parse(await text(response))).toMatchObject({ code: 10001, data: {} });
  });

  /** The whole answer to bytes as they are: `fetch` would tidy the path. */
  async function raw(bytes: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.write(bytes);
    return text(socket);
  }
});

describe('the events of a backup', () => {
  const PATH = `/backups/${BACKUP}/events`;

  it('arrive as they happen, until the end', async () => {
    const next = Promise.withResolvers<void>();
    gateway.answers.watchBackup = async function* () {
      yield { backup: sampleBackup({ state: BackupState.RUNNING, revision: 10n }) };
      await next.promise;
      yield { backup: sampleBackup({ state: BackupState.SUCCEEDED, revision: 11n }) };
    };
    const response = await fetch(url(PATH), { headers: HEADERS });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const chunks = response.body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    const first = String((await chunks?.next())?.value);
    expect(first).toMatch(/^event: backup\nid: 10\ndata: \{.*"state":"Running".*\}\n\n$/);
    next.resolve();
    let rest = '';
    for (let chunk = await chunks?.next(); chunk && !chunk.done; chunk = await chunks?.next()) rest += chunk.value;
    expect(rest).toMatch(/^event: backup\nid: 11\ndata: \{.*"state":"Succeeded".*\}\n\nevent: end\ndata: \{\}\n\n$/);
  });

  it('cancel the stream of the service when the client goes away', async () => {
    const canceled = Promise.withResolvers<void>();
    gateway.answers.watchBackup = async function* (_, { signal }) {
      yield { backup: sampleBackup() };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      canceled.resolve();
    };
    const leave = new AbortController();
    const response = await fetch(url(PATH), { headers: HEADERS, signal: leave.signal });
    await response.body?.getReader().read();
    leave.abort();
    await canceled.promise;
    expect((await fetch(url('/backups'), { headers: HEADERS })).status).toBe(200);
  });

  it('leave a line in the log when the client goes away, with its address', async () => {
    const lines = vi.spyOn(accessLog, 'info');
    gateway.answers.watchBackup = async function* (_, { signal }) {
      yield { backup: sampleBackup() };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    };
    const leave = new AbortController();
    const headers = { ...HEADERS, 'x-request-id': 'left-early' };
    const response = await fetch(url(PATH), { headers, signal: leave.signal });
    await response.body?.getReader().read();
    expect(lines).not.toHaveBeenCalled();
    leave.abort();
    const line = { requestId: 'left-early', method: 'GET', status: 499, caller: 'token admin', from: '127.0.0.1' };
    await vi.waitFor(() =>
      expect(lines.mock.calls).toContainEqual([
        expect.objectContaining({ ...line, route: '/api/v1/backups/:backupId/events' }),
        'client went away before the end of its answer',
      ]),
    );
  });

  it('and every other answer leave one line, by whichever way the request came', async () => {
    const lines = vi.spyOn(accessLog, 'info');
    await gateway.ask('GET', '/backups');
    await (await fetch(url(PATH), { headers: HEADERS })).text();
    await vi.waitFor(() => expect(lines).toHaveBeenCalledTimes(2));
    await (await fetch(url('/backups'), { headers: { ...HEADERS, connection: 'close' } })).text();
    await vi.waitFor(() => expect(lines).toHaveBeenCalledTimes(3));
    expect(lines.mock.calls.map(([line, said]) => [(line as { status: number }).status, said])).toEqual(
      Array.from({ length: 3 }, () => [200, 'request answered']),
    );
  });

  it('say so when the service breaks off', async () => {
    gateway.answers.watchBackup = async function* () {
      yield { backup: sampleBackup() };
      throw new AppError('unavailable', 'The database went away: password=hush');
    };
    const response = await fetch(url(PATH), { headers: HEADERS });
    const received = await response.text();
    expect(received).toContain('event: backup\n');
    expect(received).toContain('event: error\n');
    expect(received).not.toContain('event: end');
    expect(received).not.toContain('hush');
  });

  it('of an unknown backup are a 404 in the envelope', async () => {
    const response = await fetch(url('/backups/nobody/events'), { headers: HEADERS });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 20610, data: {} });
  });

  it('go on for as long as nothing happens, past the deadline of other calls', async () => {
    const next = Promise.withResolvers<void>();
    gateway.answers.watchBackup = async function* () {
      await next.promise;
      yield { backup: sampleBackup() };
    };
    setTimeout(next.resolve, 2_500);
    const response = await fetch(url(PATH), { headers: HEADERS });
    await vi.waitFor(async () => expect(await response.text()).toContain('event: end'), 5_000);
  });

  it('are not followed for HEAD, whose answer is complete at once', async () => {
    const response = await fetch(url(PATH), { method: 'HEAD', headers: HEADERS });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(gateway.calls.map(({ method }) => method)).toEqual(['getBackup']);
    expect((await fetch(url('/backups/nobody/events'), { method: 'HEAD', headers: HEADERS })).status).toBe(404);
  }, 5_000);

  it('end when the gateway stops, with the advice to connect again, and do not hold it up', async () => {
    gateway.answers.watchBackup = async function* (_, { signal }) {
      yield { backup: sampleBackup({ state: BackupState.RUNNING }) };
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    };
    const response = await fetch(url(PATH), { headers: { ...HEADERS, connection: 'close' } });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let received = (await reader?.read())?.value ?? '';
    const stopwatch = startStopwatch();
    const closed = gateway.app.close();
    for (let chunk = await reader?.read(); chunk && !chunk.done; chunk = await reader?.read()) received += chunk.value;
    await closed;
    expect(received).toMatch(/event: error\ndata: .*connect again.*\n\n$/);
    expect(stopwatch.elapsedMs()).toBeLessThan(2_000);
  }, 5_000);
});

it('answers a request that is under way when the gateway stops, and one behind it on its connection', async () => {
  const seen = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  gateway.answers.listBackups = async () => {
    seen.resolve();
    await go.promise;
    return {};
  };
  const head = 'Host: x\r\nAuthorization: Bearer admin';
  const socket = connect(port, '127.0.0.1');
  const answers = text(socket);
  socket.write(`GET /api/v1/backups HTTP/1.1\r\n${head}\r\n\r\n`);
  await seen.promise;
  const closed = gateway.app.close();
  const second = once(gateway.app.server, 'request');
  socket.write(`GET /api/v1/backups?page=-1 HTTP/1.1\r\n${head}\r\n\r\n`);
  await second;
  go.resolve();
  expect((await answers).split(/HTTP\/1\.1 /).slice(1)).toEqual([
    expect.stringMatching(/^200 [\s\S]*"code":0/),
    expect.stringMatching(/^400 [\s\S]*"code":10001/),
  ]);
  await closed;
}, 5_000);
