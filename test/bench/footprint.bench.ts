import { setTimeout as sleep } from 'node:timers/promises';
import type { StackProcess } from '@tidemark/local-stack/stack-process';
import { addClusters, startBackup, untilCount, untilIdle } from './backup-lives.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { crowd } from './crowd.ts';
import { openHttpClient } from './http-client.ts';
import { makeNullBr } from './null-br.ts';
import { leastOwnMb, usageOf } from './process-usage.ts';
import { startQueryCounter } from './query-counter.ts';
import { median } from './statistics.ts';

const HOUR_MS = 3_600_000;
/** Of memory that is a process's own. */
const LARGEST_MB = 110;
/** More than what a collector leaves lying about from one look to the next. */
const MOST_GROWTH = 1.05;
const SETTLE_MS = 5_000;
const AT_ONCE = 4;
/** Backups that are started before the rest is waited for. */
const BATCH = 100;
/** Of which each has many backups in the end, and is idle when its next one is started. */
const CLUSTERS = 2 * BATCH;
/** How long they may take on a machine that has much else to do: 4,000 are too many to begin again. */
const BATCH_MS = 600_000;

export const benchmark: Benchmark = {
  name: 'footprint',
  what: 'start-up and own memory of each process, before and after many backups, and what an idle hour costs',
  async run(context) {
    const counts = context.quick ? [20, 40] : [2_000, 4_000];
    const idleMs = context.quick ? 15_000 : 120_000;
    const database = context.database();
    const br = context.use(makeNullBr());
    const queries = context.use(await startQueryCounter(context.mongodbUrl));
    const stack = await context.processes(database, {
      copies: { 'executor-worker': 2 },
      br: [br.program],
      mongodbUrl: queries.url,
      env: { gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' } },
    });
    const { processes } = stack;
    const figures: Figure[] = [];

    context.say('starting each process again');
    for (const kind of new Set(processes.map((one) => one.kind)))
      figures.push({ name: `start-up of ${kind}`, value: await startUpMs(stack.process(kind)), unit: 'ms' });

    context.say(`${idleMs / 1_000} s of nothing to do`);
    await sleep(SETTLE_MS, undefined, { signal: context.signal });
    const before = await Promise.all(processes.map(usageOf));
    const queriesBefore = queries.count();
    await sleep(idleMs, undefined, { signal: context.signal });
    const after = await Promise.all(processes.map(usageOf));
    const hour = HOUR_MS / idleMs;
    figures.push({ name: 'queries of an idle hour', value: (queries.count() - queriesBefore) * hour, unit: 'count' });
    const rung = (usages: typeof before) => usages.reduce((sum, one) => sum + one.total('tidemark_rings_total'), 0);
    figures.push({ name: 'messages of an idle hour', value: (rung(after) - rung(before)) * hour, unit: 'count' });
    for (const [index, { name }] of processes.entries()) {
      const spent = (after[index]?.cpuMs ?? 0) - (before[index]?.cpuMs ?? 0);
      figures.push({ name: `processor time of an idle hour, ${name}`, value: (spent * hour) / 1_000, unit: 's' });
    }

    const idle = await leastOwnMb(processes, context.signal);
    const [first = 0, last = 0] = counts;
    const api = context.use(openHttpClient(`${stack.url}/api/v1`, stack.token));
    const clusters = await addClusters(database, 'foot', CLUSTERS);
    const live = async (from: number, to: number) => {
      context.say(`backups ${from.toLocaleString('en')} to ${to.toLocaleString('en')}`);
      for (let start = from; start < to; start += BATCH) {
        const end = Math.min(to, start + BATCH);
        await crowd({ times: end - start, atOnce: AT_ONCE, signal: context.signal }, (index) =>
          startBackup(api, clusters[(start + index) % CLUSTERS] ?? '', `foot-${start + index}`),
        );
        await untilIdle(database, { signal: context.signal, limitMs: BATCH_MS });
      }
      await untilCount(database, { state: 'Succeeded', count: to, signal: context.signal });
      return leastOwnMb(processes, context.signal);
    };
    const halfway = await live(0, first);
    const atEnd = await live(first, last);
    for (const [index, { name }] of processes.entries()) {
      const [then = 0, now = 0] = [halfway[index], atEnd[index]];
      figures.push({ name: `own memory of ${name}, idle`, value: idle[index] ?? 0, unit: 'MB' });
      figures.push({
        name: `own memory of ${name}, after ${last.toLocaleString('en')} backups`,
        value: now,
        unit: 'MB',
        target: { of: 'value', atMost: LARGEST_MB },
      });
      figures.push({
        name: `own memory of ${name}, growth`,
        value: now / then,
        unit: 'times',
        target: { of: 'value', atMost: MOST_GROWTH },
      });
    }
    return figures;
  },
};

async function startUpMs(process: StackProcess): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await process.stop();
    const startedAt = performance.now();
    await process.start();
    times.push(performance.now() - startedAt);
  }
  return median(times);
}
