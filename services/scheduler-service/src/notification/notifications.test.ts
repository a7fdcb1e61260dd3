/**
 * The outbox over a real database and real receivers, with two copies of the scheduler (C1 to C5, D1 to D5).
 */
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { log } from '../logger.ts';
import { createQuarantines } from '../quarantines.ts';
import { toNetwork } from './addresses.ts';
import { createConditionStore } from './condition-store.ts';
import { conditionId, decideCondition, type Fact } from './decide/condition.ts';
import { DELIVERY_LIMITS } from './decide/delivery.ts';
import type { Receiver } from './decide/receiver.ts';
import { createDeliveryStore } from './delivery-store.ts';
import { createOutbox } from './outbox.ts';
import { createReceiverStore, type ReceiverStore } from './receiver-store.ts';
import { send } from './send.ts';
import { createSender, tryOut } from './send-loop.ts';

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
const signal = new AbortController().signal;
const stack = new AsyncDisposableStack();
const networks = [toNetwork('127.0.0.0/8')].filter((one) => one !== undefined);

interface Got {
  readonly path: string;
  readonly id: string;
}

let got: Got[] = [];
let answer = (_: string, response: ServerResponse): void => void response.end();
let port = 0;
const client = new MongoClient(inject('mongodbUrl'));
let db = client.db(`test-${randomUUID()}`);
/** The time of the database, which a test moves. */
let offsetMs = 0;
const now = () => new Date(Date.now() + offsetMs);

beforeAll(async () => {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      const path = request.url ?? '';
      got.push({ path, id: String(request.headers['webhook-id']) });
      answer(path, response);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  port = (server.address() as AddressInfo).port;
  stack.defer(async () => {
    server.closeAllConnections();
    server.close();
    await client.close();
  });
});
afterAll(() => stack.disposeAsync());
beforeEach(async () => {
  got = [];
  offsetMs = 0;
  answer = (_, response) => void response.end();
  await dropTestDatabase(db);
  db = client.db(`test-${randomUUID()}`);
});
afterAll(() => dropTestDatabase(db));

/** What one copy of the scheduler has. @param list what it sends by, where that is not what is saved now */
function copy(worker: string, list?: ReceiverStore['list']) {
  const conditions = createConditionStore(db);
  const deliveries = createDeliveryStore(db, now);
  const receivers = createReceiverStore(db);
  const quarantines = createQuarantines();
  const outbox = createOutbox({ conditions, deliveries, receivers, quarantines, now });
  const dependencies = {
    ...{ receivers: list ? { ...receivers, list } : receivers, deliveries, quarantines, now, worker },
    beat: async () => undefined,
    send: (receiver: Receiver, event: Parameters<typeof send>[1], stop: AbortSignal) =>
      send(
        receiver,
        event,
        {
          networks,
          env: { OPS_WEBHOOK_SECRET: SECRET, CHAT_WEBHOOK_URL: `http://127.0.0.1:${port}/chat` },
          source: '/tidemark',
          now,
          onTemplateTrouble: (receiverId, trouble) => log.warn({ receiverId }, trouble),
        },
        stop,
      ),
  };
  return {
    ...{ conditions, deliveries, receivers, outbox },
    sender: () => createSender(dependencies),
    takeIn: (...facts: Fact[]) => outbox.takeIn(facts, signal),
    sendAll: async () => {
      await using sender = createSender(dependencies);
      await sender.round(signal);
      await sender.settled();
    },
    tryOut: (receiver: Receiver) => tryOut(receiver, dependencies, signal),
  };
}

async function receiver(id: string, fields: Partial<Receiver> = {}): Promise<Receiver> {
  const made: Receiver = {
    ...{ _id: id, kind: 'webhook', paused: false, selector: [], leastSeverity: 'info', topics: [], template: '' },
    ...{ digest: null, url: `http://127.0.0.1:${port}/${id}`, mail: null, everySeconds: 0 },
    ...{ secrets: { kind: 'envPrefix', prefix: 'OPS_' }, updatedBy: 'test', revision: 1, savedIn: 'call' },
    ...{ createTime: now(), updateTime: now() },
    ...fields,
  };
  await createReceiverStore(db).change(id, () => made, signal);
  return made;
}

const failed: Fact = {
  ...{ condition: 'backup', subject: 'orders', at: new Date(1_000), level: 'warning', grade: 'failed' },
  text: 'A backup of orders failed.',
  about: { clusterId: 'orders', labels: [['env', 'prod']] },
};
const good: Fact = { ...failed, at: new Date(2_000), level: 'good', grade: '', text: 'Backups succeed again.' };
const paths = () => got.map(({ path }) => path).sort();

it('each receiver gets each change once, whichever copy sees it and however often', async () => {
  await receiver('all');
  await receiver('prod', { selector: [['env', 'prod']] });
  await receiver('test', { selector: [['env', 'test']] });
  const [one, other] = [copy('one'), copy('other')];
  await Promise.all([one.takeIn(failed, failed), other.takeIn(failed)]);
  await Promise.all([one.sendAll(), other.sendAll()]);
  await other.takeIn(failed);
  await one.sendAll();
  expect(paths()).toEqual(['/all', '/prod']);
  expect(new Set(got.map(({ id }) => id)).size).toBe(1);
  await one.takeIn(good);
  await other.sendAll();
  expect(paths()).toEqual(['/all', '/all', '/prod', '/prod']);
});

it('an event that a copy left on its condition is spread by another, under its id (C2)', async () => {
  await receiver('all');
  const { conditions, outbox, sendAll } = copy('one');
  const id = conditionId('backup', 'orders');
  await conditions.change(id, (state) => decideCondition(state, failed, 'left-behind', now()), signal);
  // Killed here.
  await outbox.spreadPending(signal);
  await outbox.spreadPending(signal);
  await sendAll();
  expect(got).toEqual([{ path: '/all', id: 'left-behind' }]);
  await outbox.takeIn([good], signal);
  await sendAll();
  expect(got).toHaveLength(2);
});

it('a delivery that a copy had claimed when it was killed is sent by another when the lease is over (D2)', async () => {
  await receiver('all');
  const [one, other] = [copy('one'), copy('other')];
  await one.takeIn(failed);
  const [id = ''] = await one.deliveries.findDue('all', now(), 10, signal);
  await one.deliveries.apply(id, { kind: 'claim', claim: 'killed', worker: 'one' }, signal);
  await other.sendAll();
  expect(got).toEqual([]);
  offsetMs = DELIVERY_LIMITS.leaseMs + DELIVERY_LIMITS.reapMarginMs * 1.3;
  await other.sendAll();
  expect(paths()).toEqual(['/all']);
  const late = { kind: 'complete', claim: 'killed', fence: 1, outcome: { kind: 'failed', trouble: 'late' } } as const;
  expect((await one.deliveries.apply(id, late, signal))?.answer).toBe('lost');
});

describe('a receiver that', () => {
  it('answers 500 for an hour gets it afterwards, and all in its order', async () => {
    await receiver('sick');
    await receiver('well');
    const { takeIn, sendAll, deliveries } = copy('one');
    answer = (path, response) => void response.writeHead(path === '/sick' ? 500 : 204).end();
    await takeIn(failed);
    await sendAll();
    await takeIn(good);
    for (let minute = 0; minute < 60; minute += 4) {
      offsetMs = minute * 60_000;
      await sendAll();
    }
    expect(paths().filter((path) => path === '/well')).toHaveLength(2);
    const standing = await deliveries.standing('sick', signal);
    expect(standing).toMatchObject({ waiting: 2, trouble: 'It answered 500.' });
    answer = (_, response) => void response.end();
    offsetMs = 3 * 3_600_000;
    const before = got.length;
    await sendAll();
    expect(got.slice(before).map(({ path }) => path)).toEqual(['/sick', '/sick']);
    expect(await deliveries.standing('sick', signal)).toMatchObject({ waiting: 0, trouble: '' });
  });

  it('hangs holds up no other, and gets it at once from the next copy when this one ends', async () => {
    await receiver('stuck');
    await receiver('well');
    const { takeIn, sender } = copy('one');
    answer = (path, response) => void (path === '/well' && response.end());
    await takeIn(failed);
    {
      await using running = sender();
      await running.round(signal);
      await expect.poll(paths).toEqual(['/stuck', '/well']);
      await takeIn(good);
      const goesOn = async () => {
        await running.round(signal);
        return paths();
      };
      await expect.poll(goesOn).toEqual(['/stuck', '/well', '/well']);
    }
    answer = (_, response) => void response.end();
    await copy('other').sendAll();
    expect(paths()).toEqual(['/stuck', '/stuck', '/stuck', '/well', '/well']);
    expect(new Set(got.map(({ id }) => id)).size).toBe(2);
  });

  it('is damaged stops no other', async () => {
    await db.collection<{ _id: string }>('notification_receivers').insertOne({ _id: 'damaged' });
    await receiver('well');
    const { takeIn, sendAll } = copy('one');
    await takeIn(failed);
    await sendAll();
    expect(paths()).toEqual(['/well']);
  });

  it('was saved after a copy had read the list gets what is for it', async () => {
    await receiver('new');
    const other = copy('other');
    await other.takeIn(failed);
    await copy('one', async () => []).sendAll();
    await other.sendAll();
    expect(paths()).toEqual(['/new']);
  });

  it('is to get an event that is damaged, or whose condition is, gets all others', async () => {
    await receiver('well');
    const { takeIn, sendAll, outbox, conditions } = copy('one');
    const damaged = { pendingSince: new Date(0), level: 'critical', revision: 1 };
    await db.collection<{ _id: string }>('notification_conditions').insertMany([
      { ...damaged, _id: 'backup:a', ...{ pending: { id: 'no-more' } } },
      { ...damaged, _id: 'backup:b', ...{ pending: 'no event' } },
    ]);
    const task = { ringAt: new Date(0), notBefore: new Date(0), rings: 0 };
    await db
      .collection<{ _id: string }>('notification_deliveries')
      .insertOne({ _id: 'd:well', ...{ receiverId: 'well', state: 'Waiting', task, fence: 0, tries: 0, revision: 1 } });
    await conditions.change(
      conditionId('backup', 'orders'),
      (state) => decideCondition(state, failed, 'left-behind', now()),
      signal,
    );
    await outbox.spreadPending(signal);
    await takeIn({ ...failed, subject: 'stock' });
    for (let round = 0; round < 3; round += 1) await sendAll();
    expect(paths()).toEqual(['/well', '/well']);
  });

  it('is deleted gets nothing, and what waited for it is dropped', async () => {
    await receiver('gone');
    const { takeIn, sendAll, receivers, deliveries } = copy('one');
    await takeIn(failed);
    await receivers.remove('gone', signal);
    await sendAll();
    expect(got).toEqual([]);
    const page = await deliveries.list(
      { receiverId: 'gone', states: [] },
      { skip: 0, limit: 10, mayBePartial: true, withoutTotal: true, exactTotal: 0, withinMs: 10_000 },
      signal,
    );
    expect(page.rows).toMatchObject([{ state: 'Dropped', task: null }]);
  });

  it('is paused gets nothing that came meanwhile', async () => {
    await receiver('quiet', { paused: true });
    const { takeIn, sendAll } = copy('one');
    await takeIn(failed);
    await receiver('quiet', { paused: false });
    await sendAll();
    expect(got).toEqual([]);
  });
});

it('many that are due at once are one text for people, and each by itself for a webhook', async () => {
  await receiver('chat', { kind: 'slack', url: '', secrets: { kind: 'envPrefix', prefix: 'CHAT_' } });
  await receiver('hook');
  const { takeIn, sendAll, deliveries } = copy('one');
  const subjects = Array.from({ length: 8 }, (_, index) => `c${index}`);
  await takeIn(...subjects.map((subject) => ({ ...failed, subject, text: `A backup of ${subject} failed.` })));
  await sendAll();
  expect(paths().filter((path) => path === '/hook')).toHaveLength(8);
  expect(paths().filter((path) => path === '/chat')).toHaveLength(1);
  const page = { skip: 0, limit: 50, mayBePartial: true, withoutTotal: true, exactTotal: 0, withinMs: 10_000 };
  const { rows } = await deliveries.list({ receiverId: 'chat', states: ['Delivered'] }, page, signal);
  expect(rows).toHaveLength(8);
});

it('a test is tried once, and tells how it went', async () => {
  const made = await receiver('tried', { paused: true });
  const one = copy('one');
  expect(await one.tryOut(made)).toMatchObject({ state: 'Delivered', tries: 1 });
  answer = (_, response) => void response.writeHead(503).end();
  expect(await one.tryOut(made)).toMatchObject({ state: 'GivenUp', tries: 1, trouble: 'It answered 503.' });
});
