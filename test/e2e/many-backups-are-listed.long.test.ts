/**
 * Promise: a list of very many backups is answered, whatever it is asked for, and whoever follows it gets everything
 * (PG1 to PG4 of `packages/mongo/src/pages.ts`).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import {
  BackupServiceService,
  ListBackupsRequest,
  type ListBackupsResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { clusterDocument, finishedBackup, insertAll, type StoredDocument } from '../documents.ts';
import { startTidemark, type Tidemark } from './tidemark.ts';

/** More than these (TIDEMARK_TEST_BACKUPS=100000) are for a machine that has nothing else to do. */
const BACKUPS = Number(process.env.TIDEMARK_TEST_BACKUPS ?? 1_200);
/** Up to so many a total is exact. */
const EXACT = BACKUPS > 10_000 ? 10_000 : 500;
const CLUSTERS = 10;
const MINUTE_MS = 60_000;
const PAGE = BACKUPS > 10_000 ? 1_000 : 120;
/** What is not answered because the machine is busy just then is asked again, so often. */
const TRIES = 10;
const BUSY_MS = 200;

let tidemark: Tidemark;
let client: Client;
const idOf = (index: number) => `backup-${String(index).padStart(15, '0')}`;
/** Newest first: the oldest has index 0. */
const all = Array.from({ length: BACKUPS }, (_, index) => idOf(BACKUPS - 1 - index));
const canceled = idOf(3);

beforeAll(
  async () => {
    tidemark = await startTidemark({
      // So many are more than the servers of all tests need to carry.
      ownServers: true,
      register: false,
      copies: { 'strategy-service': 1, 'backup-service': 1, 'scheduler-service': 1, 'executor-worker': 0, gateway: 1 },
      env: { 'backup-service': { TIDEMARK_EXACT_TOTAL: String(EXACT) } },
    });
    client = new Client(tidemark.stack.grpc, credentials.createInsecure());
    await using mongo = new MongoClient(tidemark.stack.database.url);
    const collection = (name: string) => mongo.db(tidemark.database).collection<StoredDocument>(name);
    await insertAll(collection('clusters'), CLUSTERS, (index) => clusterDocument(`c-${index}`, 'none'));
    const from = Date.now() - BACKUPS * MINUTE_MS;
    await insertAll(collection('backups'), BACKUPS, (index) => ({
      ...finishedBackup(idOf(index), `c-${index % CLUSTERS}`, 'Succeeded', new Date(from + index * MINUTE_MS)),
      ...(idOf(index) === canceled && { state: 'Canceled' }),
    }));
  },
  240_000 + BACKUPS * 20,
);
afterAll(async () => {
  client?.close();
  await tidemark?.[Symbol.asyncDispose]();
});

/** A page, however it was asked for. */
interface Page {
  readonly ids: readonly string[];
  readonly total: number;
  readonly isAtLeast: boolean;
  readonly pageToken: string;
}
type Ask = (fields: { readonly pageSize: number; readonly pageToken: string }) => Promise<Page>;

async function rest(
  query: object,
  tries = TRIES,
): Promise<Page & { readonly status: number; readonly message: string; readonly page: number }> {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  const answer = await tidemark.call<{ backupRecords?: { id: string }[] }>('GET', `/backups?${text}`);
  const { status, message, data } = answer;
  if (status === 503 && tries > 1) {
    await sleep(BUSY_MS);
    return rest(query, tries - 1);
  }
  const { page = 0, total = 0, totalIsAtLeast = false, pageToken = '' } = (answer.page ?? {}) as Partial<RestPage>;
  return {
    ...{ status, message, page, total, isAtLeast: totalIsAtLeast, pageToken },
    ids: (data.backupRecords ?? []).map(({ id }) => id),
  };
}

/** A page whose total was counted to its end, which a busy machine may not come to at once. */
const counted = (query: object) =>
  vi.waitFor(
    async () => {
      const page = await rest(query);
      expect(page).toMatchObject({ isAtLeast: false });
      return page;
    },
    { timeout: 30_000 },
  );

interface RestPage {
  readonly page: number;
  readonly total: number;
  readonly totalIsAtLeast: boolean;
  readonly pageToken: string;
}

const toPage = ({
  backups = [],
  total = 0n,
  totalIsAtLeast = false,
  nextPageToken = '',
}: Partial<ListBackupsResponse>) => ({
  ids: backups.map(({ id }) => id),
  total: Number(total),
  isAtLeast: totalIsAtLeast,
  pageToken: nextPageToken,
});

async function connect(fields: object, tries = TRIES): Promise<Page> {
  const response = await fetch(`${tidemark.stack.url}/tidemark.backup.v1.BackupService/ListBackups`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tidemark.stack.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(fields),
    signal: AbortSignal.timeout(30_000),
  });
  const answer = (await response.json()) as Partial<ListBackupsResponse> & { readonly message?: string };
  if (response.status >= 503 && tries > 1) {
    await sleep(BUSY_MS);
    return connect(fields, tries - 1);
  }
  if (!response.ok) throw new Error(answer.message);
  return toPage(answer);
}

function grpc(fields: Partial<ListBackupsRequest>, tries = TRIES): Promise<Page> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${tidemark.stack.token}`);
  const { path, requestSerialize, responseDeserialize } = BackupServiceService.listBackups;
  const request = ListBackupsRequest.create(fields);
  const asked = Promise.withResolvers<Page>();
  client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, answer) => {
    const isBusy = error?.code === status.UNAVAILABLE || error?.code === status.DEADLINE_EXCEEDED;
    if (isBusy && tries > 1) asked.resolve(sleep(BUSY_MS).then(() => grpc(fields, tries - 1)));
    else if (error) asked.reject(error);
    else asked.resolve(toPage(answer as ListBackupsResponse));
  });
  return asked.promise;
}

const PROTOCOLS: readonly (readonly [string, Ask])[] = [
  ['REST', (fields) => rest(fields)],
  ['Connect', (fields) => connect(fields)],
  ['gRPC', (fields) => grpc(fields)],
];

describe.each(PROTOCOLS)('over %s', (name, ask) => {
  it('a walk by tokens tells every backup once, newest first, and never a total below what it told', async () => {
    const told: string[] = [];
    for (let pageToken = ''; ; ) {
      const page = await ask({ pageSize: PAGE, pageToken });
      told.push(...page.ids);
      pageToken = page.pageToken;
      expect(page.total).toBeGreaterThanOrEqual(told.length + (told.length < BACKUPS ? 1 : 0));
      if (!page.isAtLeast) expect(page.total).toBe(BACKUPS);
      if (pageToken === '') break;
    }
    expect(told).toEqual(all);
  });

  it('refuses tokens that are foreign, cut, or of another filter', async () => {
    const { pageToken } = await ask({ pageSize: 10, pageToken: '' });
    const ofCluster = await rest({ pageSize: 10, clusterId: 'c-1' });
    for (const bad of ['x', 'YjEg', pageToken.slice(0, -1), `${pageToken}A`, ofCluster.pageToken, 'a'.repeat(2_000)])
      if (name === 'REST')
        expect(await rest({ pageSize: 10, pageToken: bad })).toMatchObject({
          status: 400,
          message: expect.stringContaining('pageToken'),
        });
      else await expect(ask({ pageSize: 10, pageToken: bad })).rejects.toThrow(/pageToken/);
    expect((await ask({ pageSize: 10, pageToken })).ids).toEqual(all.slice(10, 20));
  });
});

it('a total is exact up to its bound and for one cluster, and says where it is not', async () => {
  const ofAll = await rest({});
  expect(ofAll).toMatchObject({ isAtLeast: true });
  expect(ofAll.total).toBeLessThanOrEqual(EXACT);
  const ofCluster = await counted({ clusterId: 'c-1' });
  expect(ofCluster.total).toBe(BACKUPS / CLUSTERS);
  expect((await counted({ clusterId: 'c-1', pageToken: ofCluster.pageToken })).total).toBe(BACKUPS / CLUSTERS);
  const lately = await counted({ startTime: Math.floor((Date.now() - 100 * MINUTE_MS) / 1000) });
  expect(lately.total).toBeLessThanOrEqual(100);
  expect(await rest({ withoutTotal: true })).toMatchObject({ total: 0, isAtLeast: false });
  const late = await rest({ page: BACKUPS / 10, pageSize: 10 });
  if (late.status === 200) expect(late).toMatchObject({ total: BACKUPS, isAtLeast: false, ids: all.slice(-10) });
});

it('reading pages up to the total gets everything, by number for as long as that is answered', async () => {
  const told: string[] = [];
  let byNumber = true;
  for (let page = 1, total = 1, pageToken = ''; told.length < total; page += 1) {
    let found = await rest({ ...(byNumber ? { page } : { pageToken }), pageSize: PAGE });
    if (byNumber && found.status !== 200) {
      expect(found).toMatchObject({ status: 400, message: expect.stringContaining('pageToken') });
      // A page by its token may be short, so that numbers no longer fit behind it.
      byNumber = false;
      found = await rest({ pageToken, pageSize: PAGE });
    }
    told.push(...found.ids);
    ({ total, pageToken } = found);
  }
  expect(told).toEqual(all);
}, 180_000);

it.each([
  ['state', { state: 'Canceled' }],
  ['state and time', { state: 'Canceled', endTime: Math.floor(Date.now() / 1000) }],
  ['state, mode and origin', { state: 'Canceled', backupMode: 'manual', origin: 'request', includeDeleted: true }],
])('what is rare by its %s is found by going on', async (_, filter) => {
  const told: string[] = [];
  for (let pageToken = ''; ; ) {
    const found = await rest({ ...filter, ...(pageToken !== '' && { pageToken }) });
    expect(found).toMatchObject({ status: 200 });
    told.push(...found.ids);
    pageToken = found.pageToken;
    if (pageToken === '') break;
  }
  expect(told).toEqual([canceled]);
});

it('says which page a token is for, and takes another size for it', async () => {
  const { pageToken } = await rest({ pageSize: 20 });
  expect(await rest({ pageToken, pageSize: 10 })).toMatchObject({ status: 200, page: 3, ids: all.slice(20, 30) });
});
