import { setTimeout as sleep } from 'node:timers/promises';
import type { StackProcess } from '@tidemark/local-stack/stack-process';
import type { Db } from 'mongodb';
import {
  anyWindowWaits,
  clusterDocument,
  insertAll,
  labelsDocument,
  openWindow,
  type StoredDocument,
  strategyDocument,
} from '../documents.ts';
import type { BenchContext, Benchmark, Figure } from './benchmark.ts';
import { usageOf } from './process-usage.ts';
import { against, median } from './statistics.ts';

/** As many writes under way as the scheduler has. */
const CONCURRENCY = 8;
/** From the last insertion to the moment at which all windows are due. */
const LEAD_MS = 500;
const POLL_MS = 500;
const LIMIT_MS = 300_000;
const EPOCH = new Date(0);

export const benchmark: Benchmark = {
  name: 'due-burst',
  what: 'windows that come at once, taken up and started by real processes, against the bare pair of writes that takes one up',
  async run(context) {
    const windows = context.quick ? 200 : 1_000;
    const database = context.database();
    const schedulers = await startProcesses(database, context);
    const counts = [1, schedulers.length];
    const measured = counts.map((): Burst[] => []);
    const floors: number[] = [];
    const rounds = context.quick ? 1 : 3;
    let registered = 0;
    for (const [index, count] of counts.entries()) {
      await runOnly(schedulers, count);
      for (let round = 1; round <= rounds; round += 1) {
        const prefix = `c-${count}-${round}`;
        context.say(`round ${round}: ${windows} windows, ${count} scheduler${count === 1 ? '' : 's'}`);
        await register(database, prefix, windows, context.signal);
        registered += windows;
        // A cluster that is new costs its scheduler more than its window does.
        await untilKnown(schedulers.slice(0, count), registered, context.signal);
        floors.push(await bareWrites(database, windows, context.signal));
        measured[index]?.push(await burst(database, prefix, windows, context.signal));
      }
    }
    return counts.flatMap((count, index) => figures(count, windows, measured[index] ?? [], floors));
  },
};

function figures(count: number, windows: number, bursts: readonly Burst[], floors: readonly number[]): Figure[] {
  const perSecond = (ms: readonly number[]) => (windows / median(ms)) * 1_000;
  const copies = count === 1 ? '1 scheduler' : `${count} schedulers`;
  const takenUp = perSecond(bursts.map((burst) => burst.takenUpMs));
  const started = perSecond(bursts.map((burst) => burst.startedMs));
  return [
    {
      name: `taken up, ${copies}`,
      value: takenUp,
      unit: '/s',
      ...against(takenUp, 'insert and update', perSecond(floors)),
    },
    { name: `started, ${copies}`, value: started, unit: '/s' },
    { name: `until all are started, ${copies}`, value: median(bursts.map((burst) => burst.startedMs)), unit: 'ms' },
  ];
}

async function startProcesses(database: Db, context: BenchContext): Promise<StackProcess[]> {
  const { processes } = await context.processes(database, {
    copies: { 'strategy-service': 1, 'backup-service': 1, 'scheduler-service': 3, 'executor-worker': 0, gateway: 0 },
    env: {
      // Nobody works on the backups, so ringing for them again and again would only disturb.
      'backup-service': { TIDEMARK_RING_SECONDS: '600' },
      'scheduler-service': { TIDEMARK_SCHEDULE_POLL_SECONDS: '0.5' },
    },
  });
  return processes.filter(({ kind }) => kind === 'scheduler-service');
}

async function runOnly(schedulers: readonly StackProcess[], count: number): Promise<void> {
  await Promise.all(schedulers.map((one, index) => (index < count ? one.start() : one.stop())));
}

const clusterId = (prefix: string, index: number) => `${prefix}-${String(index).padStart(4, '0')}`;

async function register(database: Db, prefix: string, windows: number, signal: AbortSignal): Promise<void> {
  const collection = (name: string) => database.collection<StoredDocument>(name);
  const storage = { _id: 'bench', root: 'bench', maxConcurrent: 0, local: { path: '/nowhere' } };
  await collection('storages').updateOne({ _id: storage._id }, { $set: storage }, { upsert: true });
  // As just registered, so that the schedulers find it at once.
  const cluster = (index: number) => ({
    ...clusterDocument(clusterId(prefix, index), 'bench'),
    updateTime: new Date(),
  });
  await insertAll(collection('clusters'), windows, cluster, signal);
  await insertAll(collection('cluster_labels'), windows, (index) => labelsDocument(clusterId(prefix, index)), signal);
}

/** Waits until each scheduler has taken all clusters into its fleet. */
async function untilKnown(schedulers: readonly StackProcess[], clusters: number, signal: AbortSignal): Promise<void> {
  for (const scheduler of schedulers)
    while ((await usageOf(scheduler)).series('tidemark_cluster_has_good_backup') < clusters)
      await sleep(POLL_MS, undefined, { signal });
}

/** Milliseconds from the moment at which all windows were due, by the times that the documents were given. */
interface Burst {
  readonly takenUpMs: number;
  readonly startedMs: number;
}

async function burst(database: Db, prefix: string, windows: number, signal: AbortSignal): Promise<Burst> {
  const collection = (name: string) => database.collection<StoredDocument>(name);
  // Made while they are not due, then made due at once: what is measured does not begin before all are there.
  const window = openWindow(new Date());
  const later = { ...window, startAt: new Date(Date.now() + 3_600_000) };
  await insertAll(
    collection('strategies'),
    windows,
    (index) => strategyDocument(clusterId(prefix, index), later),
    signal,
  );
  await sleep(LEAD_MS, undefined, { signal });

  const dueAt = new Date();
  const ours = { clusterId: { $gte: clusterId(prefix, 0), $lte: clusterId(prefix, windows - 1) } };
  await collection('strategies').updateMany(ours, { $set: { 'nextWindow.startAt': dueAt } });
  const giveUpAt = performance.now() + LIMIT_MS;
  while (await anyWindowWaits(database)) {
    if (performance.now() > giveUpAt)
      throw new Error(`${windows} windows were not started within ${LIMIT_MS / 1000} s.`);
    await sleep(POLL_MS, undefined, { signal });
  }
  const strategies = await collection('strategies').find(ours).toArray();
  const occurrences = await collection('occurrences')
    .find({ ...ours, state: 'Started' })
    .toArray();
  if (occurrences.length !== windows) throw new Error(`Of ${windows} windows ${occurrences.length} were started.`);
  const last = (times: readonly Date[]) => Math.max(...times.map(Number)) - dueAt.getTime();
  return {
    takenUpMs: last(strategies.map(({ updateTime }) => updateTime)),
    startedMs: last(occurrences.map(({ decidedAt }) => decidedAt ?? EPOCH)),
  };
}

/** The same two writes for each window on collections of their own, without indexes and without anybody who asks. */
async function bareWrites(database: Db, windows: number, signal: AbortSignal): Promise<number> {
  const [occurrences, strategies] = ['bare_occurrences', 'bare_strategies'].map((name) =>
    database.collection<StoredDocument>(name),
  );
  if (!occurrences || !strategies) throw new Error('unreachable');
  const window = openWindow(new Date());
  await insertAll(strategies, windows, (index) => strategyDocument(`bare-${index}`, window), signal);
  const startedAt = performance.now();
  let next = 0;
  const writer = async () => {
    for (let index = next++; index < windows; index = next++) {
      signal.throwIfAborted();
      await occurrences.insertOne({ _id: `bare-${index}`, createTime: new Date() });
      await strategies.updateOne({ _id: `bare-${index}:default`, revision: 1 }, { $set: { revision: 2 } });
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, writer));
  const tookMs = performance.now() - startedAt;
  await Promise.all([occurrences.drop(), strategies.drop()]);
  return tookMs;
}
