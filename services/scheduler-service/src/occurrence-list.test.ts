/** The list of what became of windows goes on by tokens, and its total is exact up to a bound, as that of backups. */
import { randomUUID } from 'node:crypto';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import {
  ListOccurrencesRequest,
  type OccurrenceServiceServer,
  OccurrenceServiceService,
  OccurrenceState,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/occurrence_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import type { Occurrence } from './catch-up.ts';
import { toConfig } from './config.ts';
import { startScheduler } from './service.ts';

const COUNT = 50;
const EXACT = 20;
const CLUSTERS = 2;
const LONG_AGO = new Date('2026-01-01T00:00:00Z');
/** Three of them at each instant. */
const at = (index: number) => new Date(+LONG_AGO + Math.floor(index / 3) * 86_400_000);
const clusterOf = (index: number) => `c-${index % CLUSTERS}`;
const idOf = (index: number) =>
  `${clusterOf(index)}:rule-${String(index).padStart(2, '0')}:${at(index).toISOString().replace('.000', '')}`;
const occurrence = (index: number): Occurrence => ({
  _id: idOf(index),
  clusterId: clusterOf(index),
  rule: `rule-${String(index).padStart(2, '0')}`,
  opensAt: at(index),
  closesAt: at(index + 3),
  startAt: at(index),
  late: false,
  lastGoodAt: LONG_AGO,
  state: index === 0 ? 'Missed' : 'Skipped',
  backupId: null,
  code: 'CLUSTER_BUSY',
  reason: '',
  stopAt: null,
  windowEnd: 'letRun',
  nextTryAt: LONG_AGO,
  decidedAt: new Date(),
  createTime: LONG_AGO,
});
const all = Array.from({ length: COUNT }, (_, index) => occurrence(index));
const newestFirst = (matches: (one: Occurrence) => boolean) =>
  all
    .filter(matches)
    .sort((one, other) => +other.opensAt - +one.opensAt || (one._id < other._id ? 1 : -1))
    .map(({ _id }) => _id);

const stack = new AsyncDisposableStack();
let client: ServiceClient<OccurrenceServiceServer>;

beforeAll(async () => {
  const database = `test-${randomUUID()}`;
  const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), async (connected) => {
    await dropTestDatabase(connected.db(database));
    await connected.close();
  });
  const { port } = stack.use(
    await startScheduler(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: database,
        TIDEMARK_STRATEGY_SERVICE: '127.0.0.1:1',
        TIDEMARK_BACKUP_SERVICE: '127.0.0.1:1',
        TIDEMARK_EXACT_TOTAL: String(EXACT),
      }),
    ),
  );
  const options = { address: `127.0.0.1:${port}`, token: undefined };
  client = stack.use(createServiceClient<OccurrenceServiceServer>(OccurrenceServiceService, options));
  await mongo.db(database).collection<Occurrence>('occurrences').insertMany(all);
});
afterAll(() => stack.disposeAsync());

async function list(fields: Partial<ListOccurrencesRequest>) {
  const request = ListOccurrencesRequest.create({ page: 1, pageSize: 10, ...fields });
  const { occurrences, total, ...answer } = await client.listOccurrences(request);
  return { ...answer, ids: occurrences.map(({ id }) => id), total: Number(total) };
}

it.each<[string, Partial<ListOccurrencesRequest>, (one: Occurrence) => boolean]>([
  ['of the fleet', {}, () => true],
  ['of a cluster', { clusterIds: ['c-1'] }, ({ clusterId }) => clusterId === 'c-1'],
  ['of clusters', { clusterIds: ['c-0', 'c-1', 'none'] }, () => true],
  ['in a state', { states: [OccurrenceState.OCCURRENCE_STATE_MISSED] }, ({ state }) => state === 'Missed'],
  ['of a rule', { rule: 'rule-07' }, ({ rule }) => rule === 'rule-07'],
])('a walk by tokens tells each window %s once, newest first', async (_, fields, matches) => {
  const told: string[] = [];
  for (let pageToken = ''; ; ) {
    const page = await list({ ...fields, pageSize: 4, pageToken });
    expect(Number(page.offset)).toBe(told.length);
    told.push(...page.ids);
    pageToken = page.followingPageToken;
    if (pageToken === '') break;
    expect(page.total).toBeGreaterThanOrEqual(told.length);
  }
  expect(told).toEqual(newestFirst(matches));
});

it('a total is exact up to its bound and for one cluster, and says where it is not', async () => {
  expect(await list({})).toMatchObject({ total: EXACT, totalIsAtLeast: true });
  expect(await list({ page: 4 })).toMatchObject({ total: 41, totalIsAtLeast: true });
  expect(await list({ page: 5 })).toMatchObject({ total: COUNT, totalIsAtLeast: false });
  expect(await list({ page: 9 })).toMatchObject({ ids: [], total: COUNT, totalIsAtLeast: false });
  expect(await list({ clusterIds: ['c-0'] })).toMatchObject({ total: COUNT / CLUSTERS, totalIsAtLeast: false });
  expect(await list({ withoutTotal: true })).toMatchObject({ total: 0, totalLeftOut: true });
});

it('takes a token with its own filters alone, and over what a caller sees although that changes', async () => {
  const { followingPageToken: pageToken } = await list({});
  await expect(list({ pageToken, rule: 'rule-07' })).rejects.toMatchObject({
    code: 'invalid_argument',
    details: { fields: [{ field: 'pageToken' }] },
  });
  const seen = (...clusterIds: string[]) => ({ clusterIds, withinSight: true, pageSize: 5 });
  const first = await list(seen('c-0'));
  const second = await list({ ...seen('c-0', 'c-1'), pageToken: first.followingPageToken });
  const everything = newestFirst(() => true);
  const from = everything.indexOf(first.ids.at(-1) ?? '') + 1;
  expect(second.ids).toEqual(everything.slice(from, from + 5));
});
