/**
 * What protects the gateway, over sockets. Each bound: refused beyond it, quickly and in the envelope where HTTP allows,
 * and taken again by itself afterwards.
 */

import { EventEmitter, once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConfigReader, configReader } from '@tidemark/service-kit/env';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { toConfig } from '../config.ts';
import { matcherOf } from '../networks.ts';
import { BACKUP, CLUSTER, sampleBackup } from '../testing/programmable-backends.ts';
import { exchange, open, readAnswer, requestOf } from '../testing/raw-http.ts';
import { startStopwatch } from '../testing/stopwatch.ts';
import { expectFailure, startTestGateway, type TestGateway, type TestGatewayOptions } from '../testing/test-gateway.ts';
import { createBadTokens } from './bad-tokens.ts';
import { addressKey } from './connections.ts';
import { createInFlight } from './in-flight.ts';
import { DEFAULT_LIMITS, type Limits, readLimits } from './limits.ts';
import { createBuckets } from './rate-limit.ts';
import { refused } from './refused.ts';

/** Waits as long as a busy machine may need. */
const soon = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

let stack = new AsyncDisposableStack();
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

async function start(
  limits: Partial<Limits> = {},
  options: TestGatewayOptions = {},
): Promise<{ gateway: TestGateway; port: number }> {
  const gateway = stack.use(await startTestGateway({ limits, ...options }));
  return { gateway, port: await gateway.listen() };
}

async function connectedTo(port: number): Promise<Socket> {
  const socket = await open(port);
  stack.defer(() => void socket.destroy());
  return socket;
}

const closed = (socket: Socket) => (socket.destroyed ? Promise.resolve() : once(socket.resume(), 'close'));
const expectAlive = async (port: number) =>
  expect(readAnswer(await exchange(port, requestOf('GET', '/backups'))).status).toBe(200);

async function countRefused(): Promise<Record<string, number>> {
  const { values } = await refused.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels.reason), value]));
}

/** A list that answers when it is told to. */
function holdLists(gateway: TestGateway): { waiting: number; release(): void } {
  const gate = Promise.withResolvers<void>();
  const held = { waiting: 0, release: gate.resolve };
  gateway.answers.listBackups = async () => {
    held.waiting += 1;
    await gate.promise;
    return { backups: [], total: 0n };
  };
  return held;
}

describe('a body', () => {
  it('that is larger than allowed is a 413 that says how much is taken', async () => {
    const { port } = await start({ bodyBytes: 2_000 });
    const answer = readAnswer(await exchange(port, requestOf('POST', '/backups', 'x'.repeat(3_000))));
    expect(answer).toMatchObject({ status: 413, body: { code: 10001, data: {} } });
    expect(answer.body.message).toContain('2000 bytes');
    await expectAlive(port);
  });

  it('that comes slower than allowed is a 408, and its connection is closed', async () => {
    const { gateway, port } = await start({ headersMs: 200, requestMs: 400 });
    const socket = await connectedTo(port);
    const received = text(socket);
    socket.write(
      'POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 50\r\n\r\n',
    );
    const drip = setInterval(() => socket.write(' '), 50);
    const answer = readAnswer(await received);
    clearInterval(drip);
    expect(answer).toMatchObject({ status: 408, body: { code: 10001, data: {} } });
    expect(gateway.calls).toEqual([]);
    await expectAlive(port);
  });
});

describe('headers', () => {
  it.each([
    ['100,000 of them', Array.from({ length: 100_000 }, (_, i) => `X-${i}: y`)],
    ['one of 20 KB', [`X-Long: ${'x'.repeat(20_000)}`]],
    ['a token of 1 MiB', [`Authorization: Bearer ${'x'.repeat(1024 * 1024)}`]],
    ['more small ones than allowed', Array.from({ length: 300 }, (_, i) => `X-${i}: y`)],
  ])('such as %s are a 431 in the envelope', async (_, headers) => {
    const { gateway, port } = await start();
    expect(readAnswer(await exchange(port, requestOf('GET', '/backups', '', headers)))).toMatchObject({
      status: 431,
      body: { code: 10001, data: {}, requestId: expect.stringMatching(/\S/) },
    });
    expect(gateway.calls).toEqual([]);
    await expectAlive(port);
  });

  it('as many as allowed are all read', async () => {
    const { port } = await start({ headers: 20 });
    const own = requestOf('GET', '/backups').toString().split('\r\n').length - 3;
    const more = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`);
    expect(readAnswer(await exchange(port, requestOf('GET', '/backups', '', more(20 - own)))).status).toBe(200);
    expect(readAnswer(await exchange(port, requestOf('GET', '/backups', '', more(21 - own)))).status).toBe(431);
  });

  it.each(['', 'GET /api/v1/backups HTTP/1.1\r\nHost: x\r\n'])(
    'that never end (so far "%s") are a 408',
    async (bytes) => {
      const { port } = await start({ headersMs: 300, requestMs: 600 });
      const socket = await connectedTo(port);
      const received = text(socket);
      socket.write(bytes);
      const drip = setInterval(() => bytes && socket.write('X: y\r\n'), 50);
      const answer = readAnswer(await received);
      clearInterval(drip);
      expect(answer).toMatchObject({ status: 408, body: { code: 10001 } });
      await expectAlive(port);
    },
  );
});

describe('connections', () => {
  it('beyond so many are closed at once, until one goes', async () => {
    const { port } = await start({ connections: 2 });
    const first = await connectedTo(port);
    const second = await connectedTo(port);
    await closed(await connectedTo(port));
    second.destroy();
    await soon(() => expectAlive(port));
    expect(first.destroyed).toBe(false);
  });

  it('of one address beyond so many are closed at once, until one goes', async () => {
    const { port } = await start({ connectionsPerAddress: 2 });
    const first = await connectedTo(port);
    await connectedTo(port);
    await closed(await connectedTo(port));
    first.destroy();
    await soon(() => expectAlive(port));
  });

  it('of a trusted proxy are not counted as of one address', async () => {
    const { port } = await start({ connectionsPerAddress: 1 }, { trustedProxies: ['127.0.0.0/8'] });
    await connectedTo(port);
    await connectedTo(port);
    await expectAlive(port);
  });

  it('that are kept alive and idle are closed after a while', async () => {
    const { port } = await start({ keepAliveMs: 300 });
    const socket = await connectedTo(port);
    socket.write('GET /api/v1/backups HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 401 [\s\S]*keep-alive/i);
  });

  it('on which an answer waits for the service are not taken for stalled', async () => {
    const { gateway, port } = await start({ stalledMs: 150 });
    const held = holdLists(gateway);
    const received = exchange(port, requestOf('GET', '/backups'));
    await soon(() => expect(held.waiting).toBe(1));
    await sleep(600);
    held.release();
    expect(readAnswer(await received).status).toBe(200);
  });

  it('whose client never takes a large answer are cut, and give their place back', async () => {
    const { gateway, port } = await start({ stalledMs: 400, inFlight: 1 });
    gateway.answers.listStorages = async () => ({
      storages: Array.from({ length: 50 }, (_, i) => ({ id: `s${i}`, root: 'x'.repeat(512 * 1024) })),
    });
    const socket = await connectedTo(port);
    socket.pause().write(requestOf('GET', '/storages'));
    await soon(() => expect(gateway.calls).toHaveLength(1));
    expect(readAnswer(await exchange(port, requestOf('GET', '/backups'))).status).toBe(503);
    await soon(() => expectAlive(port));
  });
});

describe('the requests of a token', () => {
  it('are counted on every answer, good or bad', async () => {
    const gateway = stack.use(await startTestGateway({ rate: { perSecond: 1, burst: 10 } }));
    const seen = [];
    for (const path of ['/backups', '/backups?page=-1', '/backups/nobody', '/storages']) {
      const { headers } = await gateway.ask('GET', path, { token: 'viewer' });
      seen.push([headers['ratelimit-limit'], headers['ratelimit-remaining'], headers['ratelimit-reset']]);
    }
    expect(seen).toEqual([
      ['10', '9', '1'],
      ['10', '8', '2'],
      ['10', '7', '3'],
      ['10', '6', '4'],
    ]);
    expect((await gateway.ask('GET', '/backups')).headers['ratelimit-remaining']).toBe('9');
  });

  it('beyond the rate are a 429 with Retry-After, and are taken again after it', async () => {
    const gateway = stack.use(await startTestGateway({ rate: { perSecond: 2, burst: 3 } }));
    for (let i = 0; i < 3; i += 1) expect((await gateway.ask('GET', '/backups')).status).toBe(200);
    const refused = await gateway.ask('GET', '/backups');
    expectFailure(refused, 429, 10000);
    expect(refused.headers).toMatchObject({ 'retry-after': '1', 'ratelimit-remaining': '0', 'ratelimit-limit': '3' });
    await sleep(1_000);
    expect((await gateway.ask('GET', '/backups')).status).toBe(200);
  });

  it('are 50 a second with bursts of 200 unless told otherwise', () => {
    expect(toConfig({ TIDEMARK_TOKENS_FILE: 'x' }).rate).toEqual({ perSecond: 50, burst: 200 });
  });

  it('are forgotten for who came last longest ago, never for everybody at once', () => {
    const buckets = createBuckets({ perSecond: 0.001, burst: 2 }, 3);
    for (const key of ['a', 'b', 'c', 'a', 'd']) buckets.take(key);
    expect(['a', 'b', 'c', 'd'].map((key) => Math.round(buckets.left(key)))).toEqual([0, 2, 1, 1]);
  });
});

describe('an address from which bad tokens come', () => {
  const badTokens = { perSecond: 2, burst: 3 };
  const connectCall = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
  const ask = (gateway: TestGateway, token: string | null) => gateway.ask('GET', '/backups', { token });

  it('is told 429 with Retry-After before its tokens are looked at, and is heard again after a while', async () => {
    const gateway = stack.use(await startTestGateway({ limits: { badTokens } }));
    for (let i = 0; i < 3; i += 1) expectFailure(await ask(gateway, `guess-${i}`), 401, 70600);
    const refused = await ask(gateway, 'viewer'); // a good one, and not even that is told
    expectFailure(refused, 429, 10000);
    expect(refused.headers['retry-after']).toBe('1');
    await sleep(1_000);
    expect((await ask(gateway, 'viewer')).status).toBe(200);
  });

  it('does not lock out whoever was let in before, as behind one proxy', async () => {
    const gateway = stack.use(await startTestGateway({ limits: { badTokens: { perSecond: 0.001, burst: 3 } } }));
    expect((await ask(gateway, 'admin')).status).toBe(200);
    for (let i = 0; i < 6; i += 1) await ask(gateway, `guess-${i}`);
    expectFailure(await ask(gateway, 'guess'), 429, 10000);
    expect((await ask(gateway, 'admin')).status).toBe(200);
    expectFailure(await ask(gateway, null), 401, 70600); // nothing is guessed without a token
  });

  it('is the one that a trusted proxy names, and nobody else’s word counts', async () => {
    const limits = { badTokens: { perSecond: 0.001, burst: 1 } };
    const from = (gateway: TestGateway, address: string) =>
      gateway.ask('GET', '/backups', { token: 'guess', headers: { 'x-forwarded-for': address } });
    const behind = stack.use(await startTestGateway({ limits, trustedProxies: ['127.0.0.1'] }));
    expect((await from(behind, '192.0.2.1')).status).toBe(401);
    expect((await from(behind, '192.0.2.1')).status).toBe(429);
    expect((await from(behind, '192.0.2.2')).status).toBe(401);
    const alone = stack.use(await startTestGateway({ limits }));
    expect((await from(alone, '192.0.2.1')).status).toBe(401);
    expect((await from(alone, '192.0.2.2')).status).toBe(429);
  });

  it('is found behind a trusted proxy however the request came, and no further than the proxies are trusted', async () => {
    const limits = { badTokens: { perSecond: 0.001, burst: 1 } };
    const { port } = await start(limits, { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
    const from = async (forwarded: string, path = '/api/v1/backups', call: RequestInit = {}) => {
      const headers = { ...call.headers, authorization: 'Bearer guess', 'x-forwarded-for': forwarded };
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...call, headers });
      await answer.text();
      return answer.status;
    };
    const rpc = ['/tidemark.backup.v1.BackupService/ListBackups', connectCall] as const;
    expect(await from('192.0.2.1')).toBe(401);
    // What stands before the first address that is no proxy, the client wrote itself.
    for (const told of ['203.0.113.9, 192.0.2.1', '203.0.113.8,192.0.2.1, 10.1.2.3', '::ffff:192.0.2.1'])
      expect([told, await from(told)]).toEqual([told, 429]);
    expect(await from('192.0.2.1', ...rpc)).toBe(429);
    expect(await from('192.0.2.2', ...rpc)).toBe(401);
    expect(await from('192.0.2.2')).toBe(429);
    expect(await from('2001:db8:0:1::1')).toBe(401);
    expect(await from('2001:db8:0:1::2')).toBe(429);
  });

  it('is a /64 of IPv6, and IPv4 however it is written', () => {
    expect(addressKey('2001:db8:0:1::1')).toBe(addressKey('2001:db8::1:ffff:0:0:2'));
    expect(addressKey('2001:db8:0:1::1')).not.toBe(addressKey('2001:db8:0:2::1'));
    expect(addressKey('::1')).toBe('0:0:0:0');
    expect(addressKey('::ffff:192.0.2.1')).toBe(addressKey('192.0.2.1'));
    expect(addressKey('fe80::1%eth0')).toBe('fe80:0:0:0');
  });

  it('forgets a good token once it is bad', () => {
    const all = createBadTokens({ perSecond: 0.001, burst: 1 });
    all.wasGood('Bearer a');
    all.wasBad('192.0.2.1', 'Bearer b');
    expect(() => all.admit('192.0.2.1', 'Bearer a')).not.toThrow();
    all.wasBad('192.0.2.1', 'Bearer a');
    expect(() => all.admit('192.0.2.1', 'Bearer a')).toThrow('Too many tokens');
  });
});

describe('too much at once', () => {
  it('is a 503 with Retry-After at once, and over as soon as something is answered', async () => {
    const { gateway, port } = await start({ inFlight: 3 });
    const held = holdLists(gateway);
    const answers = Array.from({ length: 3 }, () => exchange(port, requestOf('GET', '/backups')));
    await soon(() => expect(held.waiting).toBe(3));
    const stopwatch = startStopwatch();
    const refused = readAnswer(await exchange(port, requestOf('GET', '/backups')));
    expect(refused).toMatchObject({ status: 503, body: { code: 20604, data: {} } });
    expect(refused.head).toMatch(/retry-after: 1\r\n/);
    expect(stopwatch.elapsedMs()).toBeLessThan(1_000);
    expect(held.waiting).toBe(3);
    held.release();
    expect((await Promise.all(answers)).map((answer) => readAnswer(answer).status)).toEqual([200, 200, 200]);
    await expectAlive(port);
  });

  it('for one token is a 429 with Retry-After, and the others go on', async () => {
    const { gateway, port } = await start({ inFlight: 10, inFlightPerToken: 2 });
    const held = holdLists(gateway);
    const answers = Array.from({ length: 2 }, () => exchange(port, requestOf('GET', '/backups')));
    await soon(() => expect(held.waiting).toBe(2));
    const before = (await countRefused())['requests of one token'] ?? 0;
    const refused = await gateway.ask('GET', '/clusters');
    expectFailure(refused, 429, 10000);
    expect(refused.headers['retry-after']).toBe('1');
    expect((await countRefused())['requests of one token']).toBe(before + 1);
    expect((await gateway.ask('GET', '/clusters', { token: 'viewer' })).status).toBe(200);
    held.release();
    expect((await Promise.all(answers)).map((answer) => readAnswer(answer).status)).toEqual([200, 200]);
    expect((await gateway.ask('GET', '/clusters')).status).toBe(200);
  });

  it('is not what clients leave behind that went away', async () => {
    const { gateway, port } = await start({ inFlight: 2 });
    const held = holdLists(gateway);
    for (let i = 1; i <= 6; i += 1) {
      const socket = await connectedTo(port);
      socket.write(requestOf('GET', '/backups'));
      await soon(() => expect(held.waiting).toBe(i));
      socket.destroy();
    }
    held.release();
    await expectAlive(port);
  });

  it('is also a process that comes to nothing in time, twice in a row, until it does again', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    let now = 1_000;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    using requests = createInFlight({ inFlight: 10, inFlightPerToken: 10, delayMs: 500 });
    const sampleAfter = (lateMs: number) => {
      now += 100 + lateMs;
      vi.advanceTimersByTime(100);
    };
    const isRefused = () => {
      try {
        requests.enter(new EventEmitter()).leave();
        return false;
      } catch {
        return true;
      }
    };
    const seen = [0, 600, 0, 600, 600, 600, 400, 0].map((lateMs) => {
      sampleAfter(lateMs);
      return isRefused();
    });
    expect(seen).toEqual([false, false, false, false, true, true, false, false]);
  });

  it('of a flood of connections with requests, most are told so and the rest is answered', async () => {
    const { gateway, port } = await start({ inFlight: 20 });
    const held = holdLists(gateway);
    const statuses: number[] = [];
    const all = Array.from({ length: 200 }, async () =>
      statuses.push(readAnswer(await exchange(port, requestOf('GET', '/backups'))).status),
    );
    await soon(() => expect(statuses).toEqual(Array.from({ length: 180 }, () => 503)));
    held.release();
    await Promise.all(all);
    expect(statuses.slice(180)).toEqual(Array.from({ length: 20 }, () => 200));
    await expectAlive(port);
  });
});

it('what a limit turns away is counted by which one it was', async () => {
  const limits = { bodyBytes: 100, headersMs: 200, streams: 1, streamsPerToken: 1 };
  const { gateway, port } = await start(limits, { rate: { perSecond: 0.001, burst: 4 } });
  gateway.answers.watchBackup = async function* (_, { signal }) {
    yield { backup: sampleBackup() };
    await once(signal, 'abort');
  };
  const events = `/backups/${BACKUP}/events`;
  const before = await countRefused();
  await gateway.ask('POST', '/backups', { body: 'x'.repeat(101) });
  await exchange(port, requestOf('GET', '/backups', '', [`X-Long: ${'x'.repeat(20_000)}`]));
  await exchange(port, Buffer.from('GET /'));
  const stream = await connectedTo(port);
  stream.write(requestOf('GET', events));
  await once(stream, 'data');
  for (const token of ['admin', 'viewer', 'admin', 'admin', 'unheard-of']) await gateway.ask('GET', events, { token });
  const after = await countRefused();
  const grown = Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)]);
  expect(Object.fromEntries(grown.filter(([, count]) => count !== 0))).toEqual({
    body: 1,
    headers: 1,
    slow: 1,
    'streams of one token': 2,
    streams: 1,
    rate: 1,
    token: 1,
  });
});

it('a page of more than 1,000 is refused', async () => {
  const gateway = stack.use(await startTestGateway());
  expectFailure(await gateway.ask('GET', '/backups?pageSize=1001'), 400, 10001);
  expectFailure(await gateway.ask('GET', '/occurrences?pageSize=1001'), 400, 10001);
  expectFailure(await gateway.ask('POST', `/clusters/${CLUSTER}/strategy/preview?count=101`), 400, 10001);
});

describe('the settings of limits', () => {
  it('are read from the environment, all of them', () => {
    const reader = configReader({
      TIDEMARK_BODY_BYTES: '2048',
      TIDEMARK_HEADERS_SECONDS: '5',
      TIDEMARK_STREAMS_PER_TOKEN: '3',
      TIDEMARK_HEARTBEAT_SECONDS: '0.5',
    });
    expect(readLimits(reader)).toEqual({
      ...DEFAULT_LIMITS,
      bodyBytes: 2048,
      headersMs: 5_000,
      streamsPerToken: 3,
      heartbeatMs: 500,
    });
  });

  it('are those of docs/limits.md, with their defaults', async () => {
    const page = await readFile(join(import.meta.dirname, '..', '..', '..', 'docs', 'limits.md'), 'utf8');
    const told = [...page.matchAll(/^\| .* \| `(TIDEMARK_\w+)` \| (\d+) \|/gm)].map(([, name, value]) => [name, value]);
    const read = new Map<string, string>();
    const note = (name: string, { default: value }: { readonly default: number }) => {
      read.set(name, String(value));
      return value;
    };
    readLimits({ ...configReader({}), integer: note, seconds: note } as ConfigReader);
    const { perSecond, burst } = toConfig({ TIDEMARK_TOKENS_FILE: 'x' }).rate;
    read.set('TIDEMARK_RATE_PER_SECOND', String(perSecond)).set('TIDEMARK_RATE_BURST', String(burst));
    expect(told.sort()).toEqual([...read].sort());
  });

  it('name all that is wrong at once', () => {
    expect(() =>
      toConfig({
        TIDEMARK_TOKENS_FILE: 'x',
        TIDEMARK_BODY_BYTES: '0',
        TIDEMARK_HEADERS_SECONDS: '60',
        TIDEMARK_TRUSTED_PROXIES: '10.0.0.0/33',
        TIDEMARK_ALLOWED_ORIGINS: 'console.example.com',
      }),
    ).toThrow(/BODY_BYTES[\s\S]*HEADERS_SECONDS[\s\S]*TRUSTED_PROXIES[\s\S]*ALLOWED_ORIGINS/);
  });

  it.each(['', 'x', '10.0.0.0/', '10.0.0.0/x', '::/129', '1.2.3'])('take "%s" for no network', (network) => {
    expect(() => matcherOf([network])).toThrow('neither an address nor a network');
  });

  it('know networks of both families', () => {
    const matches = matcherOf(['10.0.0.0/8', '::1', 'fd00::/8']);
    expect(['10.1.2.3', '::ffff:10.1.2.3', '::1', 'fd12::1'].map(matches)).toEqual([true, true, true, true]);
    expect(['11.1.2.3', '::2', 'x', ''].map(matches)).toEqual([false, false, false, false]);
  });
});
