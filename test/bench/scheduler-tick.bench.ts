import type { Db } from 'mongodb';
import { insertAll, openWindow, type StoredDocument, startedOccurrence, strategyDocument } from '../documents.ts';
import type { BenchContext, Benchmark, Figure } from './benchmark.ts';
import { interleave } from './rounds.ts';
import { openScheduler } from './scheduler.ts';
import { against, median, quantile } from './statistics.ts';

const HOUR_MS = 3_600_000;
const EPOCH = new Date(0);
/** As many as the scheduler asks for at once, and the one that says whether there are more. */
const LIMIT = 201;
/** Of yesterday: enough to notice a round that looks through them. */
const MOST_OCCURRENCES = 10_000;
/** The design's: a tick over 100,000 strategies costs at most this many times one over 1,000. */
const MOST_GROWTH = 1.5;

export const benchmark: Benchmark = {
  name: 'scheduler-tick',
  what: 'one round of the scheduler that finds nothing due, against one find on the same collection',
  async run(context) {
    const sizes = context.quick ? [1_000, 10_000] : [1_000, 10_000, 100_000];
    const worlds = [];
    for (const size of sizes) worlds.push(await makeWorld(size, context));
    const subjects = Object.fromEntries(
      worlds.flatMap(({ size, find, round }) => [
        [`find ${size}`, find],
        [`round ${size}`, round],
      ]),
    );
    const rounds = { rounds: context.quick ? 100 : 300, warmUps: 20, signal: context.signal };
    const timings = await interleave(subjects, rounds);
    const [find, round] = ['find', 'round'].map((name) => sizes.map((size) => timings[`${name} ${size}`] ?? []));
    return figures(sizes, find ?? [], round ?? []);
  },
};

type Timings = readonly number[];

function figures(sizes: readonly number[], find: readonly Timings[], round: readonly Timings[]): Figure[] {
  const growth = (timings: readonly Timings[], index: number) =>
    median(timings[index] ?? []) / median(timings[0] ?? []);
  const name = (size: number) => `${size.toLocaleString('en')} strategies`;
  return [
    ...sizes.flatMap((size, index): Figure[] => {
      const [found, rounds] = [find[index] ?? [], round[index] ?? []];
      return [
        { name: name(size), value: median(rounds), unit: 'ms', ...against(median(rounds), 'find', median(found)) },
        { name: `${name(size)}, p99`, value: quantile(rounds, 0.99), unit: 'ms' },
      ];
    }),
    ...sizes.slice(1).map(
      (size, index): Figure => ({
        name: `${name(size)}, against ${sizes[0]?.toLocaleString('en')}`,
        value: growth(round, index + 1),
        unit: 'times',
        ...against(growth(round, index + 1), 'find', growth(find, index + 1)),
        target: { of: 'value', atMost: MOST_GROWTH },
      }),
    ),
  ];
}

/** So many strategies, each with a start within the next day, and occurrences of yesterday, in a database of its own. */
async function makeWorld(size: number, context: BenchContext) {
  const { say, signal } = context;
  const database = context.database();
  const stack = await context.processes(database, {
    copies: { 'strategy-service': 1, 'backup-service': 0, 'scheduler-service': 0, 'executor-worker': 0, gateway: 0 },
  });
  const scheduler = context.use(await openScheduler(stack, database));
  say(`making ${size.toLocaleString('en')} strategies`);
  await fill(database, size, signal);
  return {
    size,
    find: () =>
      database
        .collection('strategies')
        .find({ 'nextWindow.startAt': { $gt: EPOCH, $lte: new Date() } })
        .sort({ 'nextWindow.startAt': 1 })
        .limit(LIMIT)
        .toArray(),
    async round() {
      if (await scheduler.round(signal)) throw new Error('Something was due, so this was not an idle round.');
    },
  };
}

async function fill(database: Db, size: number, signal: AbortSignal): Promise<void> {
  const from = Date.now() + HOUR_MS;
  const clusterId = (index: number) => `cluster-${String(index).padStart(6, '0')}`;
  const nextWindow = (index: number) => openWindow(new Date(from + (index / size) * 24 * HOUR_MS));
  const lastWindow = (index: number) => openWindow(new Date(from + (index / size - 1.5) * 24 * HOUR_MS));
  const [strategies, occurrences] = [
    database.collection<StoredDocument>('strategies'),
    database.collection<StoredDocument>('occurrences'),
  ];
  await insertAll(strategies, size, (index) => strategyDocument(clusterId(index), nextWindow(index)), signal);
  const occurred = Math.min(size, MOST_OCCURRENCES);
  await insertAll(occurrences, occurred, (index) => startedOccurrence(clusterId(index), lastWindow(index)), signal);
}
