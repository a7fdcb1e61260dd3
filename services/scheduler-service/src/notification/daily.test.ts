/** Digests and heartbeats over a real database and a real switch (HB1, HB2). */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { FleetCluster } from '../fleet.ts';
import { createQuarantines } from '../quarantines.ts';
import { everyDay } from '../testing/neighbours.ts';
import { toNetwork } from './addresses.ts';
import { createBeatStore } from './beat-store.ts';
import { createConditionStore } from './condition-store.ts';
import { conditionId, decideCondition, type Fact, spread } from './decide/condition.ts';
import type { Delivery } from './decide/delivery.ts';
import { type NotificationEvent, newEvent } from './decide/event.ts';
import type { Receiver } from './decide/receiver.ts';
import { createDeliveryStore } from './delivery-store.ts';
import { acceptDigests } from './digests.ts';
import { beat } from './heartbeat.ts';
import { createReceiverStore } from './receiver-store.ts';
import { createRoundStore } from './round-store.ts';
import { send } from './send.ts';

const signal = new AbortController().signal;
const networks = [toNetwork('127.0.0.0/8')].filter((one) => one !== undefined);
const client = new MongoClient(inject('mongodbUrl'));
const stack = new AsyncDisposableStack();
let db: Db;
let time: Date;
const now = () => time;
const at = (text: string) => new Date(`2026-12-02T${text}Z`);
const later = (ms: number) => new Date(time.getTime() + ms);

beforeEach(async () => {
  if (db) await dropTestDatabase(db);
  db = client.db(`test-${randomUUID()}`);
  time = at('07:00:00');
});
afterAll(async () => {
  await dropTestDatabase(db);
  await client.close();
  await stack.disposeAsync();
});

async function receiver(fields: Partial<Receiver>): Promise<Receiver> {
  const made: Receiver = {
    ...{ _id: 'ops', kind: 'webhook', paused: false, selector: [], leastSeverity: 'info', topics: [], template: '' },
    ...{ digest: null, url: 'https://example.com/', mail: null, secrets: null, everySeconds: 0 },
    ...{ createTime: new Date(0), updateTime: new Date(0), updatedBy: 'test', revision: 1, savedIn: 'call' },
    ...fields,
  };
  await createReceiverStore(db).change(made._id, () => made, signal);
  return made;
}

/** The level of a condition, without anything that is still to be spread. */
async function condition(fields: Partial<Fact>): Promise<void> {
  const fact: Fact = {
    ...{ condition: 'damage', subject: 'orders', at: time, level: 'critical', grade: 'damaged' },
    ...{ text: 'A backup of orders was found damaged.', about: { clusterId: 'orders', labels: [['env', 'prod']] } },
    ...fields,
  };
  const take = (state: Parameters<typeof decideCondition>[0]) => {
    const { next } = decideCondition(state, fact, 'e', time);
    return { next: next?.pending ? (spread(next, next.pending.id) ?? next) : (next as NonNullable<typeof next>) };
  };
  await createConditionStore(db).change(conditionId(fact.condition, fact.subject), take, signal);
}

describe('a digest', () => {
  const cluster = (env: string): FleetCluster => ({
    ...{ name: '', labels: { env }, registeredAt: at('00:00:00'), noted: '' },
    rules: [everyDay('orders', 'nightly', at('23:00:00'), at('23:30:00'))],
    newest: { endedAt: at('01:00:00') },
  });
  let asOf: Date | undefined;
  beforeEach(() => {
    asOf = time;
  });
  const round = () =>
    acceptDigests(
      {
        receivers: createReceiverStore(db),
        deliveries: createDeliveryStore(db, now),
        conditions: createConditionStore(db),
        fleet: {
          clusters: new Map([
            ['orders', cluster('prod')],
            ['trial', cluster('test')],
          ]),
          asOf,
        },
        quarantines: createQuarantines(),
        now,
      },
      signal,
    );
  const digests = async () =>
    (await db.collection<Delivery>('notification_deliveries').find().sort({ _id: 1 }).toArray()).map(
      ({ event }) => event,
    );
  const DIGEST = { hour: 8, timeZone: 'Europe/Berlin' };

  it('is accepted once a day for each receiver that wants one, by whichever copy looks first', async () => {
    await receiver({ _id: 'all', digest: DIGEST });
    await receiver({ _id: 'prod', digest: DIGEST, selector: [['env', 'prod']] });
    await receiver({ _id: 'none' });
    await receiver({ _id: 'quiet', digest: DIGEST, paused: true });
    await condition({});
    await Promise.all([round(), round()]);
    time = later(3_600_000);
    await round();
    expect(await digests()).toMatchObject([
      { id: 'digest.2026-12-02.all', text: expect.stringMatching(/^2 clusters: 2 in time\.\n1 to look at:/) },
      { id: 'digest.2026-12-02.prod', text: expect.stringMatching(/^1 cluster: 1 in time\./) },
    ]);
    time = later(23 * 3_600_000);
    asOf = time;
    await round();
    expect((await digests()).map(({ id }) => id)).toContain('digest.2026-12-03.all');
  });

  it('of what cannot be read says so, and is sent all the same', async () => {
    await receiver({ _id: 'prod', digest: DIGEST, selector: [['env', 'prod']] });
    await condition({});
    await db
      .collection<{ _id: string }>('notification_conditions')
      .insertOne({ _id: 'damage:stock', ...{ level: 'critical', since: time } });
    await round();
    expect((await digests())[0]?.text).toContain(
      '2 to look at:\n- A backup of orders was found damaged.\n- The record of damage:stock',
    );
  });

  it('waits for a copy that knows the clusters, and then says that none does', async () => {
    await receiver({ digest: DIGEST });
    asOf = undefined;
    await round();
    expect(await digests()).toEqual([]);
    time = later(601_000);
    await round();
    expect(await digests()).toMatchObject([{ text: expect.stringContaining('cannot tell how the clusters are') }]);
  });
});

describe('a heartbeat', () => {
  let beats = 0;
  let status = 200;
  let url = '';
  let asOf: Date | undefined;
  let healthySince: number | undefined;
  beforeAll(async () => {
    const server = createServer((_, response) => {
      beats += 1;
      response.writeHead(status).end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    stack.defer(() => {
      server.closeAllConnections();
      server.close();
    });
  });
  beforeEach(async () => {
    beats = 0;
    status = 200;
    asOf = time;
    healthySince = 1;
    const rounds = createRoundStore(db, now);
    const round = await rounds.apply({ kind: 'claim', claim: 'c', worker: 'w' }, signal);
    await rounds.apply({ kind: 'end', claim: 'c', fence: round?.fence ?? 0, pauseMs: 0 }, signal);
  });
  const dependencies = () => ({
    receivers: createReceiverStore(db),
    deliveries: createDeliveryStore(db, now),
    conditions: createConditionStore(db),
    rounds: createRoundStore(db, now),
    beats: createBeatStore(db),
    fleet: { asOf },
    dueLoop: { healthySince: () => healthySince },
    quarantines: createQuarantines(),
    send: (one: Receiver, event: NotificationEvent, stop: AbortSignal) =>
      send(one, event, { networks, env: {}, source: '/tidemark', now, onTemplateTrouble: () => undefined }, stop),
    now,
  });
  const made = () => receiver({ _id: 'switch', kind: 'heartbeat', url, everySeconds: 60, selector: [['env', 'prod']] });
  const trouble = async () => (await createBeatStore(db).get('switch', signal))?.trouble;

  it('is sent once in an interval, by one of the copies', async () => {
    const one = await made();
    await Promise.all([beat(one, dependencies(), signal), beat(one, dependencies(), signal)]);
    time = later(59_000);
    await beat(one, dependencies(), signal);
    expect(beats).toBe(1);
    time = later(1_000);
    await beat(one, dependencies(), signal);
    expect([beats, await trouble()]).toEqual([2, '']);
  });

  it('whose interval was made shorter is sent by the new one', async () => {
    const one = await made();
    await beat({ ...one, everySeconds: 86_400 }, dependencies(), signal);
    time = later(60_000);
    await beat(one, dependencies(), signal);
    expect(beats).toBe(2);
  });

  it('that is not taken is not sent again before its time', async () => {
    const one = await made();
    status = 500;
    await beat(one, dependencies(), signal);
    await beat(one, dependencies(), signal);
    expect([beats, await trouble()]).toEqual([1, 'It answered 500.']);
  });

  it.each<readonly [string, () => unknown, string]>([
    ['the clusters cannot be read', unread, 'the clusters could not be read'],
    ['windows cannot be taken up', stuck, 'windows could not be taken up'],
    ['nobody looks for notifications', unseen, 'it could not be looked for'],
    ['a cluster that it is for is in danger', () => condition({}), 'found damaged'],
    ['something critical cannot be read', unreadable, 'cannot be read'],
    ['notifications are held up', heldUp, 'notifications wait longer'],
    ['notifications were given up', givenUp, 'notifications were given up'],
  ])('stays out while %s, and says why', async (_, goesWrong, why) => {
    const one = await made();
    await goesWrong();
    await beat(one, dependencies(), signal);
    expect([beats, await trouble()]).toEqual([0, expect.stringContaining(why)]);
  });

  async function unreadable(): Promise<void> {
    const damaged = { level: 'critical', since: time };
    await db.collection<{ _id: string }>('notification_conditions').insertOne({ _id: 'damage:orders', ...damaged });
  }

  async function givenUp(): Promise<void> {
    await heldUp();
    await db
      .collection('notification_deliveries')
      .updateMany({}, { $set: { state: 'GivenUp', task: null, endTime: time } });
  }

  function unread(): void {
    asOf = undefined;
  }

  function stuck(): void {
    healthySince = undefined;
  }

  function unseen(): void {
    time = later(400_000);
    asOf = time;
  }

  async function heldUp(): Promise<void> {
    await receiver({ _id: 'away' });
    const event = newEvent(
      { id: 'e', type: 'backup.failed', topic: 'backup', severity: 'warning', at: time, text: 'x' },
      {},
    );
    const past = () => new Date(time.getTime() - 1_000_000);
    await createDeliveryStore(db, past).accept(event, 'away', {}, signal);
  }

  it('is sent though a cluster that it is not for is in danger, something is only late, or a paused receiver has not its own', async () => {
    const one = await made();
    await condition({ subject: 'trial', about: { clusterId: 'trial', labels: [['env', 'test']] } });
    await condition({ condition: 'promise', level: 'warning', grade: 'late' });
    await heldUp();
    await receiver({ _id: 'away', paused: true });
    await beat(one, dependencies(), signal);
    expect([beats, await trouble()]).toEqual([1, '']);
  });
});
