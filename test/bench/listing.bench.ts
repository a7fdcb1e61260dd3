import { DEFAULT_EXACT_TOTAL } from '@tidemark/limits/limits';
import { type Collection, MongoServerError } from 'mongodb';
import { finishedBackup, insertAll, type StoredDocument } from '../documents.ts';
import type { BenchContext, Benchmark, Figure, Target } from './benchmark.ts';
import { type HttpClient, openHttpClient } from './http-client.ts';
import { interleave } from './rounds.ts';
import { median } from './statistics.ts';

const MINUTE_MS = 60_000;
const PAGE = 10;
/** The last of the first hundred pages. */
const HUNDREDTH = 100;
/** As many backups as a cluster has in the smallest world. */
const OF_A_CLUSTER = 100;
/** As long as the gateway waits: what takes longer is not to be had. */
const PATIENCE_MS = 1_400;
const SMALL = [1_000, 20_000];
const LARGE = [1_000, 100_000, 1_000_000];
const MAX_TIME_EXPIRED = 50;
const KEPT = { deleteTime: null };

/** What is measured in each world, and how it may grow; what has no target is reported where it can be had. */
const KINDS: readonly { readonly name: string; readonly target?: Target; readonly act: Act }[] = [
  {
    name: 'first page of the fleet',
    target: { of: 'ratio', atMost: 2 },
    act: ({ api }) => page(api, 'page=1&withoutTotal=true'),
  },
  {
    name: 'hundredth page of the fleet',
    target: { of: 'ratio', atMost: 5 },
    act: ({ api }) => page(api, `page=${HUNDREDTH}&withoutTotal=true`),
  },
  {
    name: 'first page of a cluster',
    act: ({ api }) => page(api, `page=1&withoutTotal=true&clusterId=${clusterOf(0)}`),
  },
  {
    name: 'page in the middle of the fleet',
    act: ({ api, size }) => page(api, `page=${size / PAGE / 2}&withoutTotal=true`),
  },
  {
    name: 'first page of the fleet with the total',
    act: ({ api, size }) => page(api, 'page=1', Math.min(size, DEFAULT_EXACT_TOTAL)),
  },
  {
    name: 'the database alone sorts and finds the first page',
    act: ({ backups }) => inTime(() => sortAndFind(backups)),
  },
  {
    name: 'the database alone counts',
    act: ({ backups }) => inTime(() => backups.countDocuments(KEPT, { maxTimeMS: PATIENCE_MS })),
  },
];

export const benchmark: Benchmark = {
  name: 'listing',
  what: 'GET /backups over few and many records, of the whole fleet and of one cluster; without the total unless it is named',
  async run(context) {
    const { say, signal, quick, mongodbIsPrivate } = context;
    const sizes = quick || mongodbIsPrivate ? SMALL : LARGE;
    if (!quick && mongodbIsPrivate)
      say(
        'the embedded database takes minutes to index 20,000 records; TIDEMARK_MONGODB_URL can name one for 1,000,000',
      );
    const worlds: World[] = [];
    for (const size of sizes) worlds.push(await makeWorld(size, context, worlds[0]));
    const late = new Set<string>();
    const subjects = worlds.flatMap((world) =>
      KINDS.map(({ name, target, act }) => {
        const subject = nameOf(name, world);
        const measure = async () => {
          // One with a target is late with all its time, which counts.
          if (late.has(subject) || (await act(world)) || target) return;
          late.add(subject);
        };
        return [subject, measure] as const;
      }),
    );
    say('reading pages');
    const timings = await interleave(Object.fromEntries(subjects), { rounds: quick ? 5 : 15, warmUps: 2, signal });
    if (late.size > 0)
      say(
        `not measured, for they take longer than the ${PATIENCE_MS} ms that the gateway waits: ${[...late].join('; ')}`,
      );
    return KINDS.flatMap(({ name, target }) =>
      worlds.flatMap((world, index): Figure[] => {
        const [subject, least = ''] = [nameOf(name, world), worlds[0] && nameOf(name, worlds[0])];
        if (late.has(subject)) return [];
        const [value, floor] = [median(timings[subject] ?? []), median(timings[least] ?? [])];
        const grown = {
          floor: { name: '1,000 records', value: floor },
          ratio: value / floor,
          ...(target && { target }),
        };
        return [{ name: subject, value, unit: 'ms', ...(index > 0 && !late.has(least) && grown) }];
      }),
    );
  },
};

/** Does it once; answers whether that was in time. */
type Act = (world: World) => Promise<boolean>;

interface World {
  readonly size: number;
  readonly api: HttpClient;
  readonly backups: Collection<StoredDocument>;
}

const nameOf = (kind: string, { size }: World) => `${kind}, ${size.toLocaleString('en')} records`;
const clusterOf = (index: number) => `fleet-${String(index).padStart(5, '0')}`;

/** @param like a world of which the indexes are known: in one that is full, making them takes longer than a service waits */
async function makeWorld(size: number, context: BenchContext, like?: World): Promise<World> {
  const { say, signal } = context;
  const database = context.database();
  say(`making ${size.toLocaleString('en')} records`);
  const backups = database.collection<StoredDocument>('backups');
  const from = Date.now() - size * MINUTE_MS;
  await insertAll(
    backups,
    size,
    (index) => {
      const id = `backup-${String(index).padStart(15, '0')}`;
      const state = index % 20 === 0 ? 'Failed' : 'Succeeded';
      return finishedBackup(id, clusterOf(index % (size / OF_A_CLUSTER)), state, new Date(from + index * MINUTE_MS));
    },
    signal,
  );
  say('making the indexes');
  for (const { key, unique } of (await like?.backups.indexes()) ?? []) {
    signal.throwIfAborted();
    if (!('_id' in key) || Object.keys(key).length > 1) await backups.createIndex(key, unique ? { unique } : {});
  }
  const stack = await context.processes(database, {
    copies: { 'strategy-service': 1, 'backup-service': 1, 'scheduler-service': 1, 'executor-worker': 0, gateway: 1 },
    register: false,
    env: { gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' } },
  });
  return { size, api: context.use(openHttpClient(`${stack.url}/api/v1`, stack.token)), backups };
}

interface Page {
  readonly data: { readonly backupRecords: readonly object[] };
  readonly page: { readonly total?: number; readonly totalIsAtLeast?: boolean };
}

/** @param total that the answer must have */
async function page(api: HttpClient, query: string, total?: number): Promise<boolean> {
  const { status, text } = await api.call('GET', `/backups?pageSize=${PAGE}&${query}`);
  // A page that lies too deep to be reached by its number in time is a 400.
  if (status === 503 || status === 400) return false;
  if (status !== 200) throw new Error(`${query} was answered with ${status}: ${text.slice(0, 300)}`);
  const answer = JSON.parse(text) as Page;
  if (answer.data.backupRecords.length !== PAGE) throw new Error(`${query} is no full page.`);
  // A total that was not counted to its end in time says so.
  if (total !== undefined && answer.page.totalIsAtLeast === true && (answer.page.total ?? 0) < total) return false;
  if (answer.page.total !== total) throw new Error(`${query} told ${answer.page.total}, not ${total}.`);
  return true;
}

async function inTime(ask: () => Promise<unknown>): Promise<boolean> {
  const startedAt = performance.now();
  try {
    await ask();
    return performance.now() - startedAt < PATIENCE_MS;
  } catch (error) {
    if (error instanceof MongoServerError && error.code === MAX_TIME_EXPIRED) return false;
    throw error;
  }
}

function sortAndFind(backups: Collection<StoredDocument>): Promise<object[]> {
  return backups.find(KEPT, { maxTimeMS: PATIENCE_MS }).sort({ startTime: -1, _id: -1 }).limit(PAGE).toArray();
}
