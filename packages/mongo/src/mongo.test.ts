import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppError } from '@tidemark/errors/app-error';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { type DatabaseClock, startDatabaseClock } from './clock.ts';
import { connectMongo, type MongoConnection } from './connection.ts';
import { ensureIndexes } from './indexes.ts';
import { isDuplicateKey, isTransient, orStoreError, toStoreError } from './mongo-error.ts';
import { dropTestDatabase } from './testing/drop-test-database.ts';

const quiet = { info() {}, warn() {} };
let mongo: MongoConnection;

beforeAll(() => {
  mongo = connectMongo({
    url: inject('mongodbUrl'),
    database: `test-${randomUUID()}`,
    appName: 'test',
    log: quiet,
  });
});
afterAll(async () => {
  await dropTestDatabase(mongo.db);
  await mongo[Symbol.asyncDispose]();
});

it('knows a duplicate key, and of which field, on insert and on update', async () => {
  await ensureIndexes(mongo.db, [{ collection: 'keys', keys: { activeKey: 1 }, unique: true }]);
  await ensureIndexes(mongo.db, [{ collection: 'keys', keys: { activeKey: 1 }, unique: true }]);
  const keys = mongo.db.collection<{ _id: string; activeKey: string }>('keys');
  await keys.insertOne({ _id: 'a', activeKey: 'one' });
  await keys.insertOne({ _id: 'b', activeKey: 'two' });
  const insertById = await keys.insertOne({ _id: 'a', activeKey: 'three' }).catch((error: unknown) => error);
  const insertByKey = await keys.insertOne({ _id: 'c', activeKey: 'one' }).catch((error: unknown) => error);
  const update = await keys.updateOne({ _id: 'b' }, { $set: { activeKey: 'one' } }).catch((error: unknown) => error);
  expect(isDuplicateKey(insertById, '_id')).toBe(true);
  expect(isDuplicateKey(insertById, 'activeKey')).toBe(false);
  for (const error of [insertByKey, update]) {
    expect(isDuplicateKey(error, 'activeKey')).toBe(true);
    expect(isDuplicateKey(error, '_id')).toBe(false);
    expect(isTransient(error)).toBe(false);
  }
});

it('says quickly and clearly that no server answers', async () => {
  await using nowhere = connectMongo({
    url: 'mongodb://127.0.0.1:1/?directConnection=true',
    database: 'test',
    appName: 'test',
    log: quiet,
  });
  await expect(nowhere.ping(AbortSignal.timeout(500))).rejects.toMatchObject({
    code: 'unavailable',
    details: { retryAfterMs: 1_000 },
  });
  const error = await nowhere.db
    .collection('x')
    .findOne({})
    .catch((thrown: unknown) => thrown);
  expect(isTransient(error)).toBe(true);
  expect(toStoreError(error).code).toBe('unavailable');
});

it('tells a bug or a damaged record from an outage: only an outage may be repeated', async () => {
  const aborted = await mongo.db
    .collection('x')
    .findOne({}, { signal: AbortSignal.abort() })
    .catch((thrown: unknown) => thrown);
  const refused = await new Promise((resolve) => connect(1, '127.0.0.1').once('error', resolve));
  const late = AbortSignal.timeout(1);
  await vi.waitFor(() => expect(late.aborted).toBe(true));
  // As the driver has them where a connection goes under it.
  const stumbled = new TypeError("Cannot read properties of null (reading 'loadBalanced')");
  stumbled.stack = `${stumbled.message}\n    at x (/t/node_modules/.pnpm/mongodb@7.9.0/node_modules/mongodb/lib/sdam/server.js:1:1)`;
  for (const outage of [aborted, refused, late.reason, stumbled, new Error('the call has ended')])
    expect(toStoreError(outage).code).toBe('unavailable');

  const damaged = (await orStoreError(async () => {
    await mongo.db.collection<{ _id: string }>('x').insertOne({ _id: 'no attempts' });
    const found = await mongo.db.collection<{ attempts: object[] }>('x').findOne({});
    return found?.attempts.length;
  }).catch((thrown: unknown) => thrown)) as AppError;
  expect(damaged).toMatchObject({ code: 'internal', row: { retryable: false, log: 'error' } });
  expect(damaged.cause).toBeInstanceOf(TypeError);
  expect(toStoreError(new RangeError('Invalid time zone')).code).toBe('internal');
  const misuse = await mongo.db
    .collection('x')
    .updateOne({}, { no: 'operator' } as object)
    .catch((thrown: unknown) => thrown);
  expect(toStoreError(misuse).code).toBe('internal');
});

it('opens once its server is up, however long after it was first used', async () => {
  const { hostname, port } = new URL(inject('mongodbUrl'));
  const lines: Socket[] = [];
  await using stack = new AsyncDisposableStack();
  const door = stack.adopt(
    createServer((near) => {
      const far = connect(Number(port), hostname);
      lines.push(near, far);
      for (const line of [near, far]) line.on('error', () => undefined);
      near.pipe(far).pipe(near);
    }),
    async (server) => {
      for (const line of lines) line.destroy();
      server.close();
    },
  );
  // A port that nobody has, and that stays free until the server comes.
  await once(door.listen(0, '127.0.0.1'), 'listening');
  const { port: at } = door.address() as AddressInfo;
  door.close();
  await once(door, 'close');

  const url = new URL(inject('mongodbUrl'));
  url.host = `127.0.0.1:${at}`;
  const early = stack.use(connectMongo({ url: url.href, database: 'test', appName: 'test', log: quiet }));
  await expect(early.db.command({ ping: 1 })).rejects.toThrow();
  await once(door.listen(at, '127.0.0.1'), 'listening');
  await vi.waitFor(() => early.ping(AbortSignal.timeout(1_000)), { timeout: 20_000, interval: 100 });
});

const offTheTime = (clock: DatabaseClock) => Math.abs(clock.now().getTime() - Date.now());

it('tells the time of the database', async () => {
  await using clock = startDatabaseClock(mongo, { log: quiet });
  await clock.settle(5_000);
  expect(offTheTime(clock)).toBeLessThan(1_000);
});

it('keeps the time that quick answers told when answers become slow', async () => {
  await using way = await startWay(inject('mongodbUrl'));
  await using slow = connectMongo({ url: way.url, database: 'test', appName: 'test', log: quiet });
  await using clock = startDatabaseClock(slow, { log: quiet, refreshMs: 20 });
  await clock.settle(5_000);
  await vi.waitFor(() => expect(offTheTime(clock)).toBeLessThan(50), { timeout: 10_000 });
  way.holdAnswers(600);
  const before = way.answers();
  await vi.waitFor(() => expect(way.answers()).toBeGreaterThan(before + 3), { timeout: 10_000, interval: 20 });
  expect(offTheTime(clock)).toBeLessThan(100);
});

it('tells no time before the database was reached', async () => {
  await using nowhere = connectMongo({ url: 'mongodb://127.0.0.1:1/', database: 'test', appName: 'test', log: quiet });
  await using clock = startDatabaseClock(nowhere, { log: quiet });
  expect(() => clock.now()).toThrow('has not been reached');
});

/** A way to a server on which answers can be held back, and requests not. */
async function startWay(
  target: string,
): Promise<AsyncDisposable & { readonly url: string; holdAnswers(ms: number): void; answers(): number }> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let heldMs = 0;
  let answers = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) open.add(socket.on('error', () => undefined));
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.pipe(upstream);
    upstream.on('data', async (chunk) => {
      await sleep(heldMs);
      client.write(chunk);
      answers += 1;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    holdAnswers(ms) {
      heldMs = ms;
    },
    answers: () => answers,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
