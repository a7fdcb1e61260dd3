/**
 * Promise: what became bad, and what is over, reaches each receiver, whenever a scheduler is killed: under one id, and nothing is told that
 * did not happen (C1, C2, D1 to D4). Over whole processes, of which two are schedulers.
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;
/** A lease of a delivery, its margin, and what a busy machine takes. */
const AFTER_KILL_MS = 120_000;

interface Got {
  readonly id: string;
  readonly type: string;
  readonly clusterId: string;
}

let tidemark: Tidemark;
let server: Server;
let got: Got[] = [];
let answer = (response: ServerResponse): void => void response.end();

beforeAll(async () => {
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { id, type, data } = JSON.parse(Buffer.concat(pieces).toString());
      got.push({ id, type, clusterId: data.clusterId });
      answer(response);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  tidemark = await startTidemark({
    copies: { 'scheduler-service': 2, 'executor-worker': 1 },
    env: {
      'scheduler-service': {
        TIDEMARK_NOTIFICATION_SECONDS: '0.3',
        TIDEMARK_NOTIFICATION_NETWORKS: '127.0.0.0/8',
        OPS_WEBHOOK_SECRET: SECRET,
      },
    },
  });
  const { status } = await tidemark.call('PUT', '/notifications/ops', {
    kind: 'webhook',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    secrets: { envPrefix: 'OPS_' },
    topics: ['backup'],
  });
  expect(status).toBe(200);
  const tested = await tidemark.call('POST', '/notifications/ops/test');
  expect(tested.data).toMatchObject({ delivery: { state: 'delivered' } });
  // From the first whole look on what changes is told.
  const client = new MongoClient(tidemark.stack.database.url);
  try {
    const rounds = client.db(tidemark.database).collection('notification_rounds');
    await vi.waitFor(async () => expect((await rounds.findOne({}))?.doneAt).toBeInstanceOf(Date), { timeout: 60_000 });
  } finally {
    await client.close();
  }
}, 180_000);
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await tidemark?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  got = [];
  answer = (response) => void response.end();
});

const failing = { seconds: 0.2, outcome: { kind: 'fail', message: 'permission denied', code: 'BR:KV:ErrKVStorage' } };
const typesOf = (clusterId: string) => got.filter((one) => one.clusterId === clusterId).map(({ type }) => type);

it('a backup that fails is told once, and the next that succeeds', async () => {
  const clusterId = await tidemark.cluster('told');
  tidemark.demo(failing, clusterId);
  await tidemark.untilState(await tidemark.start(clusterId), 'Failed', 60);
  await vi.waitFor(() => expect(typesOf(clusterId)).toEqual(['tidemark.backup.failed.v1']), { timeout: 60_000 });
  await tidemark.untilState(await tidemark.start(clusterId), 'Failed', 60);
  tidemark.demo({ seconds: 0.2 }, clusterId);
  await tidemark.untilState(await tidemark.start(clusterId), 'Succeeded', 60);
  await vi.waitFor(
    () => expect(typesOf(clusterId)).toEqual(['tidemark.backup.failed.v1', 'tidemark.backup.recovered.v1']),
    { timeout: 60_000 },
  );
}, 300_000);

it('a scheduler that is killed while a receiver has not answered leaves the event to the other, under the same id', async () => {
  const clusterId = await tidemark.cluster('killed');
  const held: ServerResponse[] = [];
  answer = (response) => void held.push(response);
  tidemark.demo(failing, clusterId);
  await tidemark.untilState(await tidemark.start(clusterId), 'Failed', 60);
  await vi.waitFor(() => expect(typesOf(clusterId)).toHaveLength(1), { timeout: 60_000 });
  // Both: whichever had it.
  const schedulers = tidemark.stack.processes.filter(({ kind }) => kind === 'scheduler-service');
  for (const one of schedulers) one.kill('SIGKILL');
  for (const one of schedulers) await one.exited();
  answer = (response) => void response.end();
  for (const one of schedulers) await one.start();
  await vi.waitFor(
    async () => {
      const { data } = await tidemark.call<{ deliveries: { state: string; clusterId?: string }[] }>(
        'GET',
        '/notifications/ops/deliveries?pageSize=50',
      );
      const ofCluster = data.deliveries.filter((one) => one.clusterId === clusterId);
      expect(ofCluster).toMatchObject([{ state: 'delivered' }]);
    },
    { timeout: AFTER_KILL_MS, interval: 500 },
  );
  const ids = new Set(got.filter((one) => one.clusterId === clusterId).map(({ id }) => id));
  expect(ids.size).toBe(1);
  expect(typesOf(clusterId).length).toBeGreaterThan(1);
}, 300_000);
