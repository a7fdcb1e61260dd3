import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from '@tidemark/local-stack/stack';
import {
  type BackupServiceServer,
  BackupServiceService,
  GetBackupRequest,
  ListBackupsRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import type { Db } from 'mongodb';
import { clusterDocument, finishedBackup, insertAll, type StoredDocument } from '../documents.ts';
import { untilNoted } from './backup-lives.ts';
import type { BenchContext, Benchmark, Figure, Target } from './benchmark.ts';
import { crowd } from './crowd.ts';
import type { BareApiSettings } from './floors/bare-api.ts';
import { startFloor } from './floors/floor.ts';
import { type HttpClient, mustCall, openHttpClient } from './http-client.ts';
import { usageOf } from './process-usage.ts';
import { interleave, type Timings } from './rounds.ts';
import { against, median } from './statistics.ts';

const AT_ONCE = 16;
const PAGE = 10;
const READ: Target = { of: 'ratio', atLeast: 0.5 };
const WRITE: Target = { of: 'ratio', atLeast: 0.4 };
const DAY_MS = 86_400_000;
/** Of one cluster, so that its first page is one of a few. */
const BACKUPS = 50;
const READ_CLUSTER = 'read';
const FAILED = 'failed-backup-0000000';

export const benchmark: Benchmark = {
  name: 'gateway-calls',
  what: `reads and starts over the API, ${AT_ONCE} at once, against bare Fastify and the driver on the same database`,
  async run(context) {
    const world = await openWorld(context);
    await agree(world);
    const counts = { reads: context.quick ? 200 : 1_000, starts: context.quick ? 50 : 200 };
    const rounds = { rounds: context.quick ? 3 : 7, warmUps: 2, signal: context.signal };
    context.say('reads, many at once');
    const reads = await interleave(manyAtOnce(world, counts, ['one', 'page']), rounds);
    const costOfReads = await processorTime(world, counts, ['one', 'page']);
    context.say('reads, one after the other');
    const alone = await interleave(sequential(world), { ...rounds, rounds: context.quick ? 100 : 400, warmUps: 50 });
    // Last: what they leave would make every later page slower, on both sides.
    context.say('starts, many at once');
    const starts = await interleave(manyAtOnce(world, counts, ['start']), rounds);
    const costOfStarts = await processorTime(world, counts, ['start']);
    return [...figuresAtOnce({ ...reads, ...starts }, counts), ...figuresAlone(alone), ...costOfReads, ...costOfStarts];
  },
};

interface World {
  readonly api: HttpClient;
  readonly bare: HttpClient;
  readonly stack: Stack;
  readonly backups: ReturnType<typeof openBackups>;
  readonly signal: AbortSignal;
  /** The path of a backup that did not succeed: of one that did, the scheduler is asked as well why it is kept. */
  readonly one: string;
  readonly page: string;
  /** A cluster that has no backup yet. */
  freshCluster(): string;
}

async function openWorld(context: BenchContext): Promise<World> {
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
  await untilNoted(database, 1 + startClusters(context), { signal });
  const settings: BareApiSettings = {
    mongodbUrl,
    amqpUrl,
    database: database.databaseName,
    namespace: database.databaseName,
  };
  const floor = context.use(await startFloor('bare-api.ts', settings));
  let clusters = 0;
  return {
    api: context.use(openHttpClient(`${stack.url}/api/v1`, stack.token)),
    bare: context.use(openHttpClient(String(floor.ready.url))),
    backups: context.use(openBackups(stack)),
    stack,
    signal,
    one: `/backups/${FAILED}`,
    page: `/backups?clusterId=${READ_CLUSTER}&pageSize=${PAGE}`,
    freshCluster: () => startCluster(clusters++),
  };
}

const startCluster = (index: number) => `start-${String(index).padStart(6, '0')}`;

/** As just registered, so that the scheduler takes it in before anything is measured and not in between. */
const justRegistered = (id: string) => ({ ...clusterDocument(id, 'bench'), updateTime: new Date() });

const startClusters = ({ quick }: BenchContext) => (quick ? 1_000 : 5_000);

async function fill(database: Db, context: BenchContext): Promise<void> {
  const collection = (name: string) => database.collection<StoredDocument>(name);
  await collection('storages').insertOne({
    ...{ _id: 'bench', root: 'bench', maxConcurrent: 0, local: { path: '/nowhere' } },
    ...{ createTime: new Date(), updateTime: new Date() },
  });
  await collection('clusters').insertOne(justRegistered(READ_CLUSTER));
  await insertAll(
    collection('clusters'),
    startClusters(context),
    (index) => justRegistered(startCluster(index)),
    context.signal,
  );
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

/** Over gRPC without the gateway, as it calls itself. */
function openBackups({ dataDir, process }: Stack) {
  return createServiceClient<BackupServiceServer>(BackupServiceService, {
    address: process('backup-service').address,
    token: readFileSync(join(dataDir, 'secrets', 'service-token'), 'utf8').trim(),
  });
}

/** A floor that answers something else does not do the same work. */
async function agree({ api, bare, one, page }: World): Promise<void> {
  for (const path of [one, page])
    deepStrictEqual(await mustCall<object>(bare, 'GET', path), await mustCall<object>(api, 'GET', path));
}

interface Counts {
  readonly reads: number;
  readonly starts: number;
}

const KINDS = ['one', 'page', 'start'] as const;
type Kind = (typeof KINDS)[number];
type Side = 'api' | 'bare';
type AtOnce = Timings<`${Side} ${Kind}`>;

const countOf = (kind: Kind, { reads, starts }: Counts) => (kind === 'start' ? starts : reads);

/** Some kinds of calls, many at once, on both sides. */
function manyAtOnce<Some extends Kind>(world: World, counts: Counts, kinds: readonly Some[]) {
  const many = (side: Side, kind: Kind) => () =>
    crowd({ times: countOf(kind, counts), atOnce: AT_ONCE, signal: world.signal }, () => act(world, side, kind));
  return Object.fromEntries(
    kinds.flatMap((kind) => [
      [`bare ${kind}`, many('bare', kind)],
      [`api ${kind}`, many('api', kind)],
    ]),
  ) as Record<`${Side} ${Some}`, () => Promise<void>>;
}

/** What a call costs each process. */
async function processorTime(world: World, counts: Counts, kinds: readonly Kind[]): Promise<Figure[]> {
  const processes = [world.stack.process('gateway'), world.stack.process('backup-service')];
  const figures: Figure[] = [];
  for (const kind of kinds) {
    const before = await Promise.all(processes.map(usageOf));
    const times = countOf(kind, counts);
    await crowd({ times, atOnce: AT_ONCE, signal: world.signal }, () => act(world, 'api', kind));
    const after = await Promise.all(processes.map(usageOf));
    for (const [index, { kind: process }] of processes.entries())
      figures.push({
        name: `processor time of ${process}, ${NAMES[kind]}`,
        value: ((after[index]?.cpuMs ?? 0) - (before[index]?.cpuMs ?? 0)) / times,
        unit: 'ms',
      });
  }
  return figures;
}

async function act({ api, bare, one, page, freshCluster }: World, side: Side, kind: Kind): Promise<void> {
  const client = side === 'api' ? api : bare;
  if (kind === 'start') await mustCall(client, 'POST', '/backups', { clusterId: freshCluster() });
  else await mustCall(client, 'GET', kind === 'one' ? one : page);
}

const NAMES = { one: 'one backup', page: `a page of ${PAGE}`, start: 'a start' } as const;

function figuresAtOnce(timings: AtOnce, counts: Counts): Figure[] {
  return KINDS.map((kind) => {
    const perSecond = (side: Side) => (countOf(kind, counts) / median(timings[`${side} ${kind}`])) * 1_000;
    return {
      name: NAMES[kind],
      value: perSecond('api'),
      unit: '/s',
      ...against(perSecond('api'), 'bare Fastify', perSecond('bare')),
      target: kind === 'start' ? WRITE : READ,
    };
  });
}

/** The same read through the gateway, and asked of the service behind it. */
function sequential({ api, backups, one, page }: World) {
  const list = ListBackupsRequest.create({ clusterIds: [READ_CLUSTER], page: 1, pageSize: PAGE });
  return {
    'service one': () => backups.getBackup(GetBackupRequest.create({ id: FAILED })),
    'api one': () => mustCall(api, 'GET', one),
    'service page': () => backups.listBackups(list),
    'api page': () => mustCall(api, 'GET', page),
  };
}

function figuresAlone(timings: Timings<'service one' | 'api one' | 'service page' | 'api page'>): Figure[] {
  return (['one', 'page'] as const).map((kind) => {
    const [whole, service] = [median(timings[`api ${kind}`]), median(timings[`service ${kind}`])];
    return {
      name: `added by the gateway, ${NAMES[kind]}, alone`,
      value: whole - service,
      unit: 'ms',
      floor: { name: 'gRPC call', value: service },
    };
  });
}
