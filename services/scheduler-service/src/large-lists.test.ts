/** Lists that are too large for one message: told in pieces, whole, and each item once. */
import { randomUUID } from 'node:crypto';
import { MAX_MESSAGE_BYTES } from '@tidemark/limits/limits';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { BackupResult } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  ListOccurrencesRequest,
  ListOccurrencesResponse,
  type OccurrenceServiceServer,
  OccurrenceServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/occurrence_service';
import {
  EvaluateRetentionRequest,
  EvaluateRetentionResponse,
  type RetentionServiceServer,
  RetentionServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/retention_service';
import { Retention } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Occurrence } from './catch-up.ts';
import { toConfig } from './config.ts';
import { startScheduler } from './service.ts';
import { everyDay, goodBackup, Neighbours, serveNeighbours } from './testing/neighbours.ts';

const COUNT = 60;
const LONG_AGO = new Date('2026-01-01T00:00:00Z');
/** Three of them at each instant. */
const at = (index: number) => new Date(+LONG_AGO + Math.floor(index / 3) * 60_000);
const idOf = (index: number) => `id-${String(index).padStart(3, '0')}`;
const newestFirst = Array.from({ length: COUNT }, (_, index) => idOf(COUNT - 1 - index));

const stack = new AsyncDisposableStack();
const neighbours = new Neighbours();
let occurrences: ServiceClient<OccurrenceServiceServer>;
let retention: ServiceClient<RetentionServiceServer>;

beforeAll(async () => {
  const database = `test-${randomUUID()}`;
  const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), async (client) => {
    await dropTestDatabase(client.db(database));
    await client.close();
  });
  const peer = stack.use(await serveNeighbours(() => neighbours));
  const { port } = stack.use(
    await startScheduler(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: database,
        TIDEMARK_STRATEGY_SERVICE: peer.address,
        TIDEMARK_BACKUP_SERVICE: peer.address,
      }),
    ),
  );
  const options = { address: `127.0.0.1:${port}`, token: undefined };
  occurrences = stack.use(createServiceClient<OccurrenceServiceServer>(OccurrenceServiceService, options));
  retention = stack.use(createServiceClient<RetentionServiceServer>(RetentionServiceService, options));
  await mongo
    .db(database)
    .collection<Occurrence>('occurrences')
    .insertMany(Array.from({ length: COUNT }, (_, index) => occurrence(index)));
});
afterAll(() => stack.disposeAsync());

/** With a name of 120 KB, and of a state that nothing more happens to. */
const occurrence = (index: number): Occurrence => ({
  _id: idOf(index),
  clusterId: 'large',
  rule: 'r'.repeat(120_000),
  opensAt: at(index),
  closesAt: at(index + 3),
  startAt: at(index),
  late: false,
  lastGoodAt: LONG_AGO,
  state: index % 2 === 0 ? 'Missed' : 'Skipped',
  backupId: null,
  code: 'CLUSTER_BUSY',
  reason: 'x'.repeat(5_000),
  stopAt: null,
  windowEnd: 'letRun',
  nextTryAt: LONG_AGO,
  decidedAt: new Date(),
  createTime: LONG_AGO,
});

/** Every piece of a list. */
async function pieces<Piece extends { nextPageToken: string }>(ask: (pageToken: string) => Promise<Piece>) {
  const found: Piece[] = [];
  for (let pageToken = ''; ; ) {
    const piece = await ask(pageToken);
    found.push(piece);
    pageToken = piece.nextPageToken;
    if (pageToken === '') return found;
  }
}

it('a page of what became of windows is told whole, newest first, and its total once', async () => {
  for (const [page, pageSize, from, to] of [
    [1, 1_000, 0, COUNT],
    [1, 50, 0, 50],
    [2, 40, 40, COUNT],
  ] as const) {
    const request = ListOccurrencesRequest.create({ clusterIds: ['large'], page, pageSize });
    const found = await pieces((pageToken) => occurrences.listOccurrences({ ...request, pageToken }));
    for (const piece of found)
      expect(ListOccurrencesResponse.encode(piece).finish().length).toBeLessThan(MAX_MESSAGE_BYTES);
    expect(found.flatMap((piece) => piece.occurrences.map(({ id }) => id))).toEqual(newestFirst.slice(from, to));
    expect(found.map(({ total }) => Number(total))).toEqual([COUNT, ...found.slice(1).map(() => 0)]);
    if (pageSize > 40) expect(found.length).toBeGreaterThan(1);
  }
  await expect(
    occurrences.listOccurrences(ListOccurrencesRequest.create({ page: 1, pageSize: 10, pageToken: '10_1_x' })),
  ).rejects.toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'pageToken' }] } });
});

it('what retention says of many backups is told whole, newest first, each once, with the bytes of all in each answer', async () => {
  const rule = 'r'.repeat(120_000);
  neighbours.strategies = [
    {
      ...everyDay('large', rule, LONG_AGO, LONG_AGO),
      nextWindow: undefined,
      retention: Retention.create({ keepLast: 20 }),
    },
  ];
  neighbours.backups = Array.from({ length: COUNT }, (_, index) =>
    goodBackup({
      id: idOf(index),
      clusterId: 'large',
      rule,
      startTime: at(index),
      result: BackupResult.create({ sizeBytes: 5n }),
    }),
  );
  const request = EvaluateRetentionRequest.create({ clusterId: 'large' });
  const found = await pieces((pageToken) => retention.evaluateRetention({ ...request, pageToken }));
  expect(found.length).toBeGreaterThan(1);
  for (const piece of found) {
    expect(EvaluateRetentionResponse.encode(piece).finish().length).toBeLessThan(MAX_MESSAGE_BYTES);
    expect(piece.bytesToFree).toBe(BigInt(5 * (COUNT - 20)));
  }
  const verdicts = found.flatMap((piece) => piece.verdicts);
  expect(verdicts.map(({ backupId }) => backupId)).toEqual(newestFirst);
  expect(verdicts.filter(({ keepReasons }) => keepReasons.length > 0)).toHaveLength(20);
  await expect(retention.evaluateRetention({ ...request, pageToken: 'x' })).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'pageToken' }] },
  });
});
