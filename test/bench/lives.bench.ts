import { cpus } from 'node:os';
import { addClusters, startBackup, untilCount, untilIdle } from './backup-lives.ts';
import { startBareLoop } from './bare-loop.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { crowd } from './crowd.ts';
import { openHttpClient } from './http-client.ts';
import { makeNullBr } from './null-br.ts';
import { against, median } from './statistics.ts';

const WORKERS = [1, 2, 4, 8] as const;
const CLIENTS = 8;

export const benchmark: Benchmark = {
  name: 'lives',
  what: 'whole lives of backups with a br that does nothing, from POST to Succeeded, against publish, consume, spawn alone',
  async run(context) {
    const { signal } = context;
    const lives = context.quick ? 24 : 200;
    const database = context.database();
    const br = context.use(makeNullBr());
    const stack = await context.processes(database, {
      copies: { 'executor-worker': Math.max(...WORKERS) },
      br: [br.program],
      env: { gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' } },
    });
    const api = context.use(openHttpClient(`${stack.url}/api/v1`, stack.token));
    const workers = stack.processes.filter(({ kind }) => kind === 'executor-worker');
    const measured = WORKERS.map((): { whole: number[]; bare: number[]; busy: number[] } => ({
      ...{ whole: [], bare: [], busy: [] },
    }));
    let succeeded = 0;
    for (let round = 0; round < (context.quick ? 1 : 3); round += 1) {
      for (const [index, count] of WORKERS.entries()) {
        context.say(`round ${round + 1}: ${lives} lives, ${count} worker${count === 1 ? '' : 's'}`);
        await Promise.all(workers.map((one, at) => (at < count ? one.start() : one.stop())));
        const clusters = await addClusters(database, `life-${round}-${count}`, lives);
        const busyBefore = busyCpuMs();
        const startedAt = performance.now();
        await crowd({ times: lives, atOnce: CLIENTS, signal }, (at) => startBackup(api, clusters[at] ?? ''));
        // To count all that succeeded, again and again, would cost more with each round.
        await untilIdle(database, { signal });
        const tookMs = performance.now() - startedAt;
        succeeded += lives;
        await untilCount(database, { state: 'Succeeded', count: succeeded, signal });
        measured[index]?.whole.push(tookMs);
        measured[index]?.busy.push((busyCpuMs() - busyBefore) / tookMs);

        await Promise.all(workers.map((one) => one.stop()));
        const { program } = br;
        await using loop = await startBareLoop(context, { program, storage: stack.storage, workers: count });
        const bareFrom = performance.now();
        await crowd({ times: lives, atOnce: CLIENTS, signal }, (at) => loop.run(`bare-${clusters[at]}`));
        await Promise.all(clusters.map((id) => br.at('ended', `bare-${id}`)));
        measured[index]?.bare.push(performance.now() - bareFrom);
      }
    }
    const perSecond = (ms: readonly number[]) => (lives / median(ms)) * 1_000;
    const first = perSecond(measured[0]?.whole ?? []);
    return WORKERS.flatMap((count, index): Figure[] => {
      const { whole = [], bare = [], busy = [] } = measured[index] ?? {};
      const name = count === 1 ? '1 worker' : `${count} workers`;
      const value = perSecond(whole);
      return [
        { name, value, unit: '/s', ...against(value, 'bare loop', perSecond(bare)) },
        ...(count === 1 ? [] : [{ name: `${name}, against 1`, value: value / first, unit: 'times' as const }]),
        { name: `busy cores, ${name}`, value: median(busy), unit: 'count' },
      ];
    });
  },
};

/** Processor time that the whole machine has spent, but for waiting. */
function busyCpuMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
}
