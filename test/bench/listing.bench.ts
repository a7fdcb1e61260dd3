import { finishedBackup, insertAll, type StoredDocument } from '../documents.ts';
import type { BenchContext, Benchmark, Figure } from './benchmark.ts';
import { type HttpClient, mustCall, openHttpClient } from './http-client.ts';
import { interleave } from './rounds.ts';
import { median } from './statistics.ts';

const MINUTE_MS = 60_000;
const PAGE = 10;
/** The last of the first hundred pages. */
const HUNDREDTH = 100;
/** As many backups as a cluster has in the smallest world. */
const OF_A_CLUSTER = 100;

export const benchmark: Benchmark = {
  name: 'listing',
  what: 'GET /backups over few and many records, of the whole fleet and of one cluster; a first page carries the total',
  async run(context) {
    const sizes = context.quick ? [1_000, 20_000] : [1_000, 100_000, 1_000_000];
    const worlds = [];
    for (const size of sizes) worlds.push(await makeWorld(size, context));
    const rounds = { rounds: context.quick ? 5 : 15, warmUps: 2, signal: context.signal };
    const subjects = Object.fromEntries(
      worlds.flatMap(({ size, api, find, count }) => [
        [`fleet first ${size}`, () => first(api)],
        [`fleet hundredth ${size}`, () => read(api, HUNDREDTH, PAGE)],
        [`fleet deep ${size}`, () => deep(api, size)],
        [`cluster first ${size}`, () => first(api, `&clusterId=${clusterOf(0)}`)],
        [`find ${size}`, find],
        [`count ${size}`, count],
      ]),
    );
    context.say('reading pages');
    const timings = await interleave(subjects, rounds);
    const of = (kind: string, size: number) => median(timings[`${kind} ${size}`] ?? []);
    const [least = 0] = sizes;
    return sizes.flatMap((size): Figure[] => {
      const records = `${size.toLocaleString('en')} records`;
      const against = (kind: string) => ({
        floor: { name: `${least.toLocaleString('en')} records`, value: of(kind, least) },
        ratio: of(kind, size) / of(kind, least),
      });
      const grown = (kind: string, atMost?: number) => ({
        value: of(kind, size),
        unit: 'ms' as const,
        ...(size !== least && { ...against(kind), ...(atMost && { target: { of: 'ratio' as const, atMost } }) }),
      });
      return [
        { name: `first page of the fleet, ${records}`, ...grown('fleet first', 2) },
        { name: `hundredth page of the fleet, ${records}`, ...grown('fleet hundredth', 5) },
        { name: `page in the middle of the fleet, ${records}`, ...grown('fleet deep') },
        { name: `first page of a cluster, ${records}`, ...grown('cluster first') },
        { name: `the database alone finds the first page, ${records}`, ...grown('find') },
        { name: `the database alone counts, ${records}`, ...grown('count') },
      ];
    });
  },
};

const clusterOf = (index: number) => `fleet-${String(index).padStart(5, '0')}`;

async function makeWorld(size: number, context: BenchContext) {
  const { say, signal } = context;
  const database = context.database();
  say(`making ${size.toLocaleString('en')} records`);
  const backups = database.collection<StoredDocument>('backups');
  const from = Date.now() - size * MINUTE_MS;
  // Before the services make the indexes, which is the fastest way to fill them.
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
  const stack = await context.processes(database, {
    copies: { 'strategy-service': 1, 'backup-service': 1, 'scheduler-service': 1, 'executor-worker': 0, gateway: 1 },
    register: false,
    env: { gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' } },
  });
  const all = { type: 'full', 'deletion.state': { $in: ['None', 'Requested', 'Deleting', 'DeleteFailed'] } };
  return {
    size,
    api: context.use(openHttpClient(`${stack.url}/api/v1`, stack.token)),
    find: () => backups.find(all).sort({ startTime: -1, _id: -1 }).limit(PAGE).toArray(),
    count: () => backups.countDocuments(all),
  };
}

interface Page {
  readonly data: { readonly backupRecords: readonly object[] };
}

async function read(api: HttpClient, page: number, pageSize: number, more = ''): Promise<void> {
  const { data } = await mustCall<Page>(api, 'GET', `/backups?page=${page}&pageSize=${pageSize}${more}`);
  if (data.backupRecords.length !== pageSize) throw new Error(`Page ${page} has ${data.backupRecords.length} records.`);
}

const first = (api: HttpClient, more?: string) => read(api, 1, PAGE, more);
const deep = (api: HttpClient, size: number) => read(api, size / PAGE / 2, PAGE);
