/** A stack with a small fleet, and a bare server over the same documents: what the API is measured against. */
import { deepStrictEqual } from 'node:assert/strict';
import type { Stack } from '@tidemark/local-stack/stack';
import type { Db } from 'mongodb';
import { clusterDocument, finishedBackup, insertAll, labelsDocument, type StoredDocument } from '../documents.ts';
import type { BenchContext } from './benchmark.ts';
import type { BareApiSettings } from './floors/bare-api.ts';
import type { BarePairSettings } from './floors/bare-pair.ts';
import type { BareRecordsSettings } from './floors/bare-records.ts';
import { startFloor } from './floors/floor.ts';
import { type HttpClient, mustCall, openHttpClient } from './http-client.ts';
import { type FleetCounts, untilTakenIn } from './until-taken-in.ts';

export const PAGE = 10;
export const READ_CLUSTER = 'read';
export const FAILED = 'failed-backup-0000000';

const DAY_MS = 86_400_000;
/** Of one cluster, so that its first page is one of a few. */
const BACKUPS = 50;

export interface ApiWorld {
  readonly api: HttpClient;
  readonly bare: HttpClient;
  /** Two bare processes with gRPC between them, for single records. */
  readonly pair: HttpClient;
  readonly stack: Stack;
  readonly signal: AbortSignal;
  /** The path of a backup that did not succeed: of one that did, the scheduler is asked as well why it is kept. */
  readonly one: string;
  readonly page: string;
  /** A cluster that has no backup yet. @throws Error when there is none left */
  freshCluster(): string;
}

/**
 * Starts both over a database of the run.
 *
 * @param bound of the bare server: how many requests it serves at once, and how many wait; without one, all at once
 */
export async function openApiWorld(context: BenchContext, bound?: BareApiSettings['bound']): Promise<ApiWorld> {
  const { mongodbUrl, amqpUrl, signal } = context;
  const database = context.database();
  const stack = await context.processes(database, {
    copies: { 'strategy-service': 1, 'backup-service': 1, 'scheduler-service': 1, 'executor-worker': 0, gateway: 1 },
    env: {
      // Nobody works on the backups, so ringing for them again and again would only disturb.
      'backup-service': { TIDEMARK_RING_SECONDS: '600' },
      gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' },
    },
    register: false,
  });
  await fill(database, context);
  const api = context.use(openHttpClient(`${stack.url}/api/v1`, stack.token));
  const registered = 1 + startClusters(context);
  const isAll = (counts: FleetCounts) => Object.values(counts).reduce((sum, one) => sum + one, 0) === registered;
  await untilTakenIn(api, isAll, signal);
  const settings: BareApiSettings = {
    mongodbUrl,
    amqpUrl,
    database: database.databaseName,
    namespace: database.databaseName,
    ...(bound && { bound }),
  };
  const floor = context.use(await startFloor('bare-api.ts', settings));
  const records: BareRecordsSettings = { mongodbUrl, database: database.databaseName };
  const { address } = context.use(await startFloor('bare-records.ts', records)).ready;
  const pair = context.use(await startFloor('bare-pair.ts', { address: String(address) } satisfies BarePairSettings));
  let clusters = 0;
  const world: ApiWorld = {
    api,
    bare: context.use(openHttpClient(String(floor.ready.url))),
    pair: context.use(openHttpClient(String(pair.ready.url))),
    stack,
    signal,
    one: `/backups/${FAILED}`,
    page: `/backups?clusterId=${READ_CLUSTER}&pageSize=${PAGE}`,
    freshCluster() {
      if (clusters >= startClusters(context)) throw new Error('There are no more clusters to start a backup of.');
      return startCluster(clusters++);
    },
  };
  await agree(world);
  return world;
}

const startCluster = (index: number) => `start-${String(index).padStart(6, '0')}`;

/** As just registered, so that the scheduler takes it in before anything is measured and not in between. */
const justRegistered = (id: string) => ({ ...clusterDocument(id, 'bench'), updateTime: new Date() });

const startClusters = ({ quick }: BenchContext) => (quick ? 4_000 : 9_000);

async function fill(database: Db, context: BenchContext): Promise<void> {
  const collection = (name: string) => database.collection<StoredDocument>(name);
  await collection('storages').insertOne({
    ...{ _id: 'bench', root: 'bench', maxConcurrent: 0, local: { path: '/nowhere' } },
    ...{ createTime: new Date(), updateTime: new Date() },
  });
  const ids = [READ_CLUSTER, ...Array.from({ length: startClusters(context) }, (_, index) => startCluster(index))];
  const idAt = (index: number) => ids[index] ?? '';
  // As if strategy-service had been told of each, which takes the embedded database minutes.
  await insertAll(collection('cluster_labels'), ids.length, (index) => labelsDocument(idAt(index)), context.signal);
  await insertAll(collection('clusters'), ids.length, (index) => justRegistered(idAt(index)), context.signal);
  const from = Date.now() - BACKUPS * DAY_MS;
  await insertAll(collection('backups'), BACKUPS, (index) =>
    finishedBackup(
      index === 0 ? FAILED : `backup-${String(index).padStart(14, '0')}`,
      READ_CLUSTER,
      index === 0 ? 'Failed' : 'Succeeded',
      new Date(from + index * DAY_MS),
    ),
  );
  // The floor writes beside the product, into a collection that keeps as many indexes.
  for (const { key, unique } of await collection('backups').indexes())
    if (!('_id' in key && Object.keys(key).length === 1))
      await collection('bare_backups').createIndex(key, unique ? { unique } : {});
}

/** A floor that answers something else does not do the same work; it says only not where its list goes on. */
async function agree({ api, bare, pair, one, page }: ApiWorld): Promise<void> {
  for (const path of [one, page]) {
    const answer = await mustCall<{ page?: { pageToken?: string } }>(api, 'GET', path);
    delete answer.page?.pageToken;
    for (const floor of path === one ? [bare, pair] : [bare])
      deepStrictEqual(await mustCall<object>(floor, 'GET', path), answer);
  }
}
