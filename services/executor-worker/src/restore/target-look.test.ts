import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { lookAtCollection, lookAtTarget } from './target-look.ts';

const servers: AsyncDisposable[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

/** A PD as far as it is asked; its address. */
async function startPd(answer: (path: string, body: string) => unknown): Promise<string> {
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const said = answer(request.url ?? '', await text(request));
    if (said === undefined) response.writeHead(404).end('404 page not found');
    else response.end(JSON.stringify(said));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const inMinutes = (minutes: number) => Math.floor(Date.now() / 1_000) + 60 * minutes;
const GC_WORKER = { service_id: 'gc_worker', expired_at: Number.MAX_SAFE_INTEGER, safe_point: 1 };
const look = (...pd: string[]) => lookAtTarget({ pd, tls: undefined, toPoint: false }, AbortSignal.timeout(20_000));
const lookAfterLog = (...pd: string[]) =>
  lookAtTarget({ pd, tls: undefined, toPoint: true }, AbortSignal.timeout(20_000));
const lookBefore = (...pd: string[]) => lookAtCollection({ pd, tls: undefined }, AbortSignal.timeout(20_000));

describe('a look at the target of a restore', () => {
  it('finds schedulers that are paused, garbage collection held back by br, and a restore that is registered', async () => {
    const until = inMinutes(5);
    const asked: string[] = [];
    const pd = await startPd((path, body) => {
      asked.push(path);
      if (path === '/pd/api/v1/schedulers?status=paused')
        return ['balance-leader-scheduler', 'balance-region-scheduler'];
      if (path === '/pd/api/v1/gc/safepoint')
        return {
          service_gc_safe_points: [
            GC_WORKER,
            { service_id: 'br-0f1e', expired_at: until, safe_point: 1 },
            { service_id: 'br-of-yesterday', expired_at: inMinutes(-60), safe_point: 1 },
            { service_id: 'ticdc', expired_at: inMinutes(60), safe_point: 1 },
          ],
          gc_safe_point: 0,
        };
      const { key, range_end: end } = JSON.parse(body);
      expect(Buffer.from(key, 'base64').toString()).toBe('/tidb/brie/import/restore/');
      expect(Buffer.from(end, 'base64').toString()).toBe('/tidb/brie/import/restore0');
      return { header: { revision: '7' }, count: '1' };
    });
    expect(await look(pd)).toEqual({
      at: expect.any(Date),
      pausedSchedulers: ['balance-leader-scheduler', 'balance-region-scheduler'],
      safepointUntil: new Date(until * 1_000),
      isRegistered: true,
    });
    expect(asked).toHaveLength(3);
  });

  it('finds that nothing is left', async () => {
    const pd = await startPd((path) => {
      if (path.startsWith('/pd/api/v1/schedulers')) return null;
      return path.startsWith('/pd') ? { service_gc_safe_points: [GC_WORKER] } : { header: {} };
    });
    expect(await look(pd)).toMatchObject({ pausedSchedulers: [], safepointUntil: null, isRegistered: false });
  });

  it('leaves unknown what one PD does not answer, and asks every PD of the cluster', async () => {
    const one = await startPd((path) => (path.startsWith('/pd/api/v1/schedulers') ? ['shuffle'] : undefined));
    const found = await look('127.0.0.1:1', one);
    expect(found).toEqual({ at: expect.any(Date), pausedSchedulers: ['shuffle'] });
  });

  it('finds the TiKVs that collect no garbage, and counts those that do not say, before and after a restore to a point in time', async () => {
    const tikv = (config: unknown) => startPd((path) => (path === '/config' ? config : undefined));
    const [off, on, silent] = await Promise.all([
      tikv({ gc: { 'ratio-threshold': -1.0 } }),
      tikv({ gc: { 'ratio-threshold': 1.1 } }),
      tikv({ gc: {} }),
    ]);
    const stores = [
      ...[off, on, silent].map((status_address) => ({ store: { status_address } })),
      { store: { status_address: 'tiflash:20292', labels: [{ key: 'engine', value: 'tiflash' }] } },
      { store: { status_address: 'http://elsewhere/?' } },
      null,
    ];
    const asked: string[] = [];
    const pd = await startPd((path) => {
      asked.push(path);
      return path === '/pd/api/v1/stores' ? { count: stores.length, stores } : null;
    });
    expect(await lookAfterLog(pd)).toMatchObject({ collection: { off: [off], unseen: 1 } });
    expect(await lookBefore('127.0.0.1:1', pd)).toEqual({ off: [off], unseen: 1 });
    asked.length = 0;
    expect(await look(pd)).not.toHaveProperty('collection');
    expect(asked).not.toContain('/pd/api/v1/stores');
    const without = await startPd((path) => (path === '/pd/api/v1/stores' ? { stores: null } : null));
    expect(await lookAfterLog(without)).not.toHaveProperty('collection');
    expect(await lookBefore(without)).toBeUndefined();
  });

  it.each([
    ['of another form', () => ({ error: 'not leader' })],
    ['that is too large', () => ['x'.repeat(2_000_000)]],
    ['of nobody', () => undefined],
  ])('takes an answer %s for none', async (_, answer) => expect(await look(await startPd(answer))).toBeUndefined());

  it('waits two seconds for a PD that is silent, and no longer', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    servers.push({
      async [Symbol.asyncDispose]() {
        silent.closeAllConnections();
        await silent[Symbol.asyncDispose]();
      },
    });
    expect(await look(`127.0.0.1:${(silent.address() as AddressInfo).port}`)).toBeUndefined();
  });
});
