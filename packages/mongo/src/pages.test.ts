/** PG1 to PG4 of `pages.ts`, also over a database that takes its time. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { AppError } from '@tidemark/errors/app-error';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ensureIndexes } from './indexes.ts';
import { createPages, type PageWish } from './pages.ts';
import { FIRST_INSTANT, LAST_INSTANT, type Selection, toParts } from './selection.ts';
import { dropTestDatabase } from './testing/drop-test-database.ts';

interface Record {
  readonly _id: string;
  readonly at: Date;
  readonly cluster: string;
  readonly kind: string;
}

const MINUTE_MS = 60_000;
const COUNT = 300;
const CLUSTERS = 150;
const now = new Date();
const idOf = (index: number) => `r-${String(index).padStart(3, '0')}`;
/** One a minute, each of another cluster than the one before; the oldest has index 0, and is rare. */
const records: Record[] = Array.from({ length: COUNT }, (_, index) => ({
  _id: idOf(index),
  at: new Date(+now - (COUNT - index) * MINUTE_MS),
  cluster: `c-${index % CLUSTERS}`,
  kind: index === 0 ? 'rare' : 'usual',
}));
const clusters = (count: number) => Array.from({ length: count }, (_, index) => `c-${index}`);

const stack = new AsyncDisposableStack();
const database = `test-${randomUUID()}`;
const { signal } = new AbortController();

beforeAll(async () => {
  const client = stack.adopt(new MongoClient(inject('mongodbUrl')), async (mongo) => {
    await dropTestDatabase(mongo.db(database));
    await mongo.close();
  });
  const db = client.db(database);
  await ensureIndexes(db, [
    { collection: 'records', keys: { at: -1, _id: -1 } },
    { collection: 'records', keys: { cluster: 1, at: -1, _id: -1 } },
  ]);
  await db.collection<Record>('records').insertMany(records);
});
afterAll(() => stack.disposeAsync());

/** A server between that holds every answer of the database back for so long. */
async function slowed(ms: number): Promise<AsyncDisposable & { readonly url: string }> {
  const url = new URL(inject('mongodbUrl'));
  const [port, host] = [Number(url.port), url.hostname];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => [client, upstream].map((one) => one.destroy()));
    }
    client.pipe(upstream);
    upstream.on('data', (answer) => setTimeout(() => client.writable && client.write(answer), ms));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    },
  };
}

const all: Selection = {
  from: FIRST_INSTANT,
  until: LAST_INSTANT,
  ...toParts('cluster', []),
  isCountedWhole: false,
};
const wishFor = (wish: Partial<PageWish>): PageWish => ({
  ...{ skip: 0, limit: 10, mayBePartial: false, withoutTotal: false, exactTotal: 1_000, withinMs: 30_000 },
  ...wish,
});

async function pagesAt(url: string, onQuestion?: () => void) {
  const client = stack.adopt(new MongoClient(url, { monitorCommands: true }), (mongo) => mongo.close());
  client.on('commandStarted', ({ commandName }) => commandName === 'aggregate' && onQuestion?.());
  await client.connect();
  const pages = createPages(client.db(database).collection<Record>('records'), { time: 'at' });
  return async (wish: Partial<PageWish>, selection: Partial<Selection> = {}, at = now) => {
    const page = await pages.read({ ...all, ...selection }, wishFor(wish), at, signal);
    return { ...page, ids: page.rows.map(({ _id }) => _id) };
  };
}

it.each([1, 3, 21])('a list of %i clusters is whole, newest first, by number and by positions', async (count) => {
  const read = await pagesAt(inject('mongodbUrl'));
  const parts = toParts('cluster', clusters(count));
  const named = new Set(clusters(count));
  const wanted = records
    .filter(({ cluster }) => named.has(cluster))
    .map(({ _id }) => _id)
    .reverse();
  const byNumber: string[] = [];
  for (let skip = 0; skip <= wanted.length; skip += 7) byNumber.push(...(await read({ skip, limit: 7 }, parts)).ids);
  expect(byNumber).toEqual(wanted);
  const byPosition: string[] = [];
  for (let after: PageWish['after']; ; ) {
    const page = await read({ limit: 7, ...(after && { after }) }, parts);
    byPosition.push(...page.ids);
    expect(page.total).toBe(wanted.length);
    after = page.next;
    if (!after) break;
  }
  expect(byPosition).toEqual(wanted);
});

it('a short list that is counted whole is asked for by two questions once its length is known, and stays exact', async () => {
  let questions = 0;
  const read = await pagesAt(inject('mongodbUrl'), () => {
    questions += 1;
  });
  const short = { rest: {}, parts: [{ cluster: 'short' }], isCountedWhole: true };
  const collection = stack
    .adopt(new MongoClient(inject('mongodbUrl')), (mongo) => mongo.close())
    .db(database)
    .collection<Record>('records');
  const add = async (from: number, to: number) => {
    const added = Array.from({ length: to - from }, (_, index) => ({
      _id: `short-${String(from + index).padStart(2, '0')}`,
      at: new Date(+now - (99 - from - index) * 86_400_000),
      cluster: 'short',
      kind: 'usual',
    }));
    await collection.insertMany(added);
  };
  await add(0, 15);
  expect(await read({}, short)).toMatchObject({ total: 15, isAtLeast: false });
  await add(15, 20);
  for (const skip of [0, 10]) {
    questions = 0;
    const page = await read({ skip }, short);
    expect(page).toMatchObject({ total: 20, isAtLeast: false });
    expect(page.ids).toHaveLength(10);
    expect(questions).toBeLessThanOrEqual(skip === 0 ? 2 : 3);
  }
  const first = await read({ limit: 6 }, short);
  expect(await read({ limit: 6, ...(first.next && { after: first.next }) }, short)).toMatchObject({ total: 20 });
  await collection.deleteMany({ cluster: 'short' });
  expect(await read({}, short)).toMatchObject({ total: 0, ids: [] });
});

it('a position behind far more than there are is refused', async () => {
  const read = await pagesAt(inject('mongodbUrl'));
  const at = records[100]?.at ?? now;
  expect(await read({ after: { before: COUNT, at, id: '' } })).toMatchObject({ total: COUNT + 100 });
  await expect(read({ after: { before: 10 ** 14, at, id: '' } })).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'pageToken' }] },
  });
});

describe('over a database that takes its time', () => {
  /** Looking through all takes more looks than fit into the time. */
  const LOOK_MS = 80;
  const withinMs = 5 * LOOK_MS;
  const rare = { rest: { kind: 'rare' } };
  let read: Awaited<ReturnType<typeof pagesAt>>;
  let slow: Awaited<ReturnType<typeof slowed>>;
  beforeAll(async () => {
    slow = stack.use(await slowed(LOOK_MS));
    const once = await pagesAt(slow.url);
    // Where an answer came too late the next question waits for a new connection first.
    read = (...asked) => untilLookedAt(async () => once(...asked));
  });

  async function untilLookedAt<R>(ask: () => Promise<R>): Promise<R> {
    for (let tries = 1; ; tries += 1)
      try {
        return await ask();
      } catch (error) {
        if ((error as AppError).code !== 'deadline_exceeded' || tries > 60) throw error;
      }
  }

  /** Eight looks lead from now back to the first instant, and more from so late; eight fit into the time, which says that it is the list that is long. */
  const LONG_LOOK_MS = 300;
  const LATE = new Date('9998-01-01T00:00:00Z');
  const refused = async (wish: Partial<PageWish>, selection: Partial<Selection> = {}) => {
    const slower = stack.use(await slowed(LONG_LOOK_MS));
    return untilLookedAt(async () =>
      (await pagesAt(slower.url))({ withinMs: 8.7 * LONG_LOOK_MS, ...wish }, selection, LATE),
    );
  };

  it('a page that cannot be filled in time is refused to who counts pages, and says how to go on', async () => {
    await expect(refused({}, { rest: { kind: 'none' } })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'page', description: expect.stringContaining('pageToken') }] },
    });
  });

  it('a list that is only looked through too slowly is not called long', async () => {
    const slower = stack.use(await slowed(LONG_LOOK_MS));
    const once = await pagesAt(slower.url);
    await expect(once({ withinMs: 7 * LONG_LOOK_MS }, { rest: { kind: 'none' } })).rejects.toMatchObject({
      code: 'deadline_exceeded',
    });
  });

  it('a list of one cluster is not called long either, and is there at last', async () => {
    const slower = stack.use(await slowed(LONG_LOOK_MS));
    const once = await pagesAt(slower.url);
    const ask = () => once({ withinMs: 8.7 * LONG_LOOK_MS }, { rest: { kind: 'none' }, isCountedWhole: true }, LATE);
    await expect(ask()).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(await untilLookedAt(ask)).toMatchObject({ ids: [], total: 0 });
  });

  it('one that lies too deep is refused, too', async () => {
    await expect(refused({ skip: 10 }, { rest: { kind: 'none' } })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field: 'page', description: expect.stringContaining('too deep') }] },
    });
  });

  it('one that only a slow database keeps from being filled may be asked for again, and is there at last', async () => {
    const once = await pagesAt(slow.url);
    const none = { rest: { kind: 'none' } };
    await expect(once({ withinMs }, none)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(await untilLookedAt(async () => once({ withinMs }, none))).toMatchObject({ ids: [], total: 0 });
  });

  it('who goes on by positions gets there, and never a total that is below what follows', async () => {
    const told: string[] = [];
    let answers = 0;
    for (let after: PageWish['after']; ; ) {
      const page = await read({ withinMs, mayBePartial: true, ...(after && { after }) }, rare);
      told.push(...page.ids);
      answers += 1;
      after = page.next;
      if (!after) break;
      expect(page).toMatchObject({ isAtLeast: true });
      expect(page.total).toBeGreaterThan(told.length);
    }
    expect(told).toEqual([idOf(0)]);
    expect(answers).toBeGreaterThan(1);
  });

  it('a total that could not be counted to its end says so', async () => {
    expect(await read({ withinMs, limit: 1 })).toMatchObject({ ids: [idOf(COUNT - 1)], isAtLeast: true });
  });
});
