/** The calls about receivers, over a whole scheduler. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import {
  DeliveryState,
  ListDeliveriesRequest,
  type NotificationServiceServer,
  NotificationServiceService,
  PutReceiverRequest,
  type Receiver,
  ReceiverKind,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/notification_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { type Db, MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { toConfig } from '../config.ts';
import { startScheduler } from '../service.ts';

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
const stack = new AsyncDisposableStack();
let calls: ServiceClient<NotificationServiceServer>;
let db: Db;
let status = 200;
let url = '';

beforeAll(async () => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(status).end();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const database = `test-${randomUUID()}`;
  const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), async (connected) => {
    await dropTestDatabase(connected.db(database));
    await connected.close();
  });
  db = mongo.db(database);
  const { port } = stack.use(
    await startScheduler(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: database,
        TIDEMARK_STRATEGY_SERVICE: '127.0.0.1:1',
        TIDEMARK_BACKUP_SERVICE: '127.0.0.1:1',
        TIDEMARK_NOTIFICATION_NETWORKS: '127.0.0.0/8',
        OPS_WEBHOOK_SECRET: SECRET,
      }),
    ),
  );
  const options = { address: `127.0.0.1:${port}`, token: undefined };
  calls = stack.use(createServiceClient<NotificationServiceServer>(NotificationServiceService, options));
});
afterAll(() => stack.disposeAsync());

const put = (id: string, fields: Partial<Receiver> = {}, more: Partial<PutReceiverRequest> = {}) =>
  calls.putReceiver(
    PutReceiverRequest.create({
      receiver: {
        ...{ id, kind: ReceiverKind.RECEIVER_KIND_WEBHOOK, url, selector: { env: 'prod', 'o\'h"a': 'x.y$z' } },
        secrets: { source: { $case: 'envPrefix', value: 'OPS_' } },
        ...fields,
      },
      ...more,
    } as Partial<PutReceiverRequest>),
  );
const unknown = { code: 'receiver_not_found' };

it('a receiver is saved, read, listed, changed at its revision, and deleted', async () => {
  expect((await put('a', {}, { validateOnly: true })).receiver).toMatchObject({ id: 'a', revision: 1n });
  await expect(calls.getReceiver({ id: 'a' })).rejects.toMatchObject(unknown);
  expect((await put('a', {}, { revision: 0n })).receiver).toMatchObject({ id: 'a', revision: 1n });
  await expect(put('a', {}, { revision: 0n })).rejects.toMatchObject({ code: 'revision_changed' });
  const { receiver } = await put('a', { paused: true }, { revision: 1n });
  expect(receiver).toMatchObject({ paused: true, revision: 2n, selector: { env: 'prod', 'o\'h"a': 'x.y$z' } });
  expect(await calls.getReceiver({ id: 'a' })).toMatchObject({ receiver, status: { waiting: 0, trouble: '' } });
  await put('b');
  expect((await calls.listReceivers({})).receivers.map(({ id }) => id)).toEqual(['a', 'b']);
  await calls.deleteReceiver({ id: 'a' });
  await calls.deleteReceiver({ id: 'b' });
  await expect(calls.deleteReceiver({ id: 'a' })).rejects.toMatchObject(unknown);
  expect((await calls.listReceivers({})).receivers).toEqual([]);
});

it('a bad one is refused whole, and nothing of it is stored', async () => {
  await expect(put('bad', { url: 'http://user:hunter2@example.com/', template: '{{#x}}' })).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'template' }, { field: 'url' }] },
  });
  await expect(calls.getReceiver({ id: 'bad' })).rejects.toMatchObject(unknown);
});

it('a damaged one stops neither the list nor the others', async () => {
  await put('sound');
  await db.collection<{ _id: string }>('notification_receivers').insertOne({ _id: 'damaged' });
  expect((await calls.listReceivers({})).receivers.map(({ id }) => id)).toEqual(['sound']);
  expect((await calls.testReceiver({ id: 'sound' })).delivery?.state).toBe(DeliveryState.DELIVERY_STATE_DELIVERED);
  await expect(calls.getReceiver({ id: 'damaged' })).rejects.toMatchObject({ code: 'internal' });
  await calls.deleteReceiver({ id: 'damaged' });
});

it('a test says how it went, and stands in the history, a page at a time', async () => {
  await put('tried', { paused: true });
  expect((await calls.testReceiver({ id: 'tried' })).delivery).toMatchObject({ type: 'test', tries: 1 });
  status = 500;
  expect((await calls.testReceiver({ id: 'tried' })).delivery).toMatchObject({
    ...{ state: DeliveryState.DELIVERY_STATE_GIVEN_UP, trouble: 'It answered 500.' },
  });
  status = 200;
  const page = (fields: Partial<ListDeliveriesRequest>) =>
    calls.listDeliveries(ListDeliveriesRequest.create({ receiverId: 'tried', pageSize: 1, ...fields }));
  const first = await page({});
  expect(first.deliveries).toMatchObject([{ state: DeliveryState.DELIVERY_STATE_GIVEN_UP }]);
  const second = await page({ pageToken: first.nextPageToken });
  expect(second.deliveries).toMatchObject([{ state: DeliveryState.DELIVERY_STATE_DELIVERED }]);
  const delivered = await page({ states: [DeliveryState.DELIVERY_STATE_DELIVERED], pageSize: 10 });
  expect(delivered.deliveries).toEqual(second.deliveries);
  await expect(page({ pageToken: 'x' })).rejects.toMatchObject({ code: 'invalid_argument' });
  await expect(page({ receiverId: 'nobody' })).rejects.toMatchObject(unknown);
  await expect(calls.testReceiver({ id: 'nobody' })).rejects.toMatchObject(unknown);
});
