import type { Db } from 'mongodb';
import {
  clusterDocument,
  finishedBackup,
  insertAll,
  labelsDocument,
  openWindow,
  type StoredDocument,
  strategyDocument,
} from '../documents.ts';
import type { BenchContext, Benchmark, Figure } from './benchmark.ts';
import { type HttpClient, mustCall, openHttpClient } from './http-client.ts';
import { interleave } from './rounds.ts';
import { against, median, quantile } from './statistics.ts';
import { untilTakenIn } from './until-taken-in.ts';

const HOUR_MS = 3_600_000;
/** The first page over 10,000 clusters takes at most so many times that over 100. */
const MOST_GROWTH = 2;

export const benchmark: Benchmark = {
  name: 'fleet',
  what: 'the first page of the fleet over REST, and one that a text narrows, over few clusters and over many',
  async run(context) {
    const sizes = context.quick ? [100, 1_000] : [100, 10_000];
    const worlds = [];
    for (const size of sizes) worlds.push({ size, api: await makeWorld(size, context) });
    const subjects = Object.fromEntries(
      worlds.flatMap(({ size, api }) => [
        [`first ${size}`, () => mustCall(api, 'GET', '/fleet')],
        [`text ${size}`, () => mustCall(api, 'GET', '/fleet?text=000007')],
      ]),
    );
    const rounds = { rounds: context.quick ? 50 : 300, warmUps: 20, signal: context.signal };
    const times = await interleave(subjects, rounds);
    return ['first', 'text'].flatMap((kind) => figures(kind, sizes, (size) => times[`${kind} ${size}`] ?? []));
  },
};

function figures(
  kind: string,
  [few = 0, many = 0]: readonly number[],
  of: (size: number) => readonly number[],
): Figure[] {
  const what = kind === 'first' ? 'the first page' : 'a page narrowed by a text';
  const [some, all] = [median(of(few)), median(of(many))];
  const isFirst = kind === 'first';
  return [
    { name: `${what}, ${few.toLocaleString('en')} clusters`, value: some, unit: 'ms' },
    {
      name: `${what}, ${many.toLocaleString('en')} clusters`,
      value: all,
      unit: 'ms',
      ...against(all, `over ${few.toLocaleString('en')}`, some),
      ...(isFirst && { target: { of: 'ratio' as const, atMost: MOST_GROWTH } }),
    },
    { name: `${what}, ${many.toLocaleString('en')} clusters, p99`, value: quantile(of(many), 0.99), unit: 'ms' },
  ];
}

/** So many clusters with a rule and a good backup each, of which every tenth is late, that the scheduler has taken in. */
async function makeWorld(size: number, context: BenchContext): Promise<HttpClient> {
  const { say, signal } = context;
  const database = context.database();
  const stack = await context.processes(database, {
    copies: { 'strategy-service': 1, 'backup-service': 1, 'scheduler-service': 1, 'executor-worker': 0, gateway: 1 },
    env: { gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' } },
    register: false,
  });
  say(`making ${size.toLocaleString('en')} clusters`);
  await fill(database, size, signal);
  say('having the scheduler take them in');
  // What is inserted behind the services' backs is taken in with the first look at everything.
  const scheduler = stack.process('scheduler-service');
  await scheduler.stop();
  await scheduler.start();
  const api = context.use(openHttpClient(`${stack.url}/api/v1`, stack.token));
  const late = Math.ceil(size / 10);
  await untilTakenIn(api, ({ inTime, veryLate }) => inTime === size - late && veryLate === late, signal);
  return api;
}

async function fill(database: Db, size: number, signal: AbortSignal): Promise<void> {
  const collection = (name: string) => database.collection<StoredDocument>(name);
  const clusterId = (index: number) => `cluster-${String(index).padStart(6, '0')}`;
  const now = Date.now();
  await insertAll(collection('clusters'), size, (index) => clusterDocument(clusterId(index), 'bench'), signal);
  // As if strategy-service had been told of each, which else goes on for minutes beside what is measured.
  await insertAll(collection('cluster_labels'), size, (index) => labelsDocument(clusterId(index)), signal);
  const planned = (index: number) => strategyDocument(clusterId(index), openWindow(new Date(now + 12 * HOUR_MS)));
  await insertAll(collection('strategies'), size, planned, signal);
  const ended = (index: number) => new Date(now - (index % 10 === 0 ? 200 : 10) * HOUR_MS);
  const backup = (index: number) =>
    finishedBackup(`backup-${String(index).padStart(14, '0')}`, clusterId(index), 'Succeeded', ended(index));
  await insertAll(collection('backups'), size, backup, signal);
}
