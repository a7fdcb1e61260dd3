import { addClusters, startBackup, untilCount } from './backup-lives.ts';
import { startBareLoop } from './bare-loop.ts';
import type { Benchmark } from './benchmark.ts';
import { openHttpClient } from './http-client.ts';
import { makeNullBr } from './null-br.ts';
import { against, quantile } from './statistics.ts';

const MOST_P99 = 3;
const WARM_UPS = 5;

export const benchmark: Benchmark = {
  name: 'start-to-spawn',
  what: 'from sending POST /backups to a running br, one backup at a time, against a bare publish, consume, spawn',
  async run(context) {
    const { signal } = context;
    const times = WARM_UPS + (context.quick ? 40 : 400);
    const database = context.database();
    const br = context.use(makeNullBr());
    const stack = await context.processes(database, {
      copies: { 'executor-worker': 1 },
      br: [br.program],
      env: { gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' } },
    });
    const api = context.use(openHttpClient(`${stack.url}/api/v1`, stack.token));
    const { program } = br;
    const loop = context.use(await startBareLoop(context, { program, storage: stack.storage, workers: 1 }));
    const clusters = await addClusters(database, 'spawn', times);

    const [spawned, bare]: [number[], number[]] = [[], []];
    context.say(`${times} starts, one after the other`);
    for (const [index, clusterId] of clusters.entries()) {
      signal.throwIfAborted();
      const startedAt = performance.now();
      await startBackup(api, clusterId);
      const spawnedAt = await br.at('began', clusterId);
      await untilCount(database, { state: 'Succeeded', count: index + 1, signal });

      const publishedAt = performance.now();
      await loop.run(`bare-${clusterId}`);
      const bareAt = await br.at('began', `bare-${clusterId}`);
      await br.at('ended', `bare-${clusterId}`);
      if (index < WARM_UPS) continue;
      spawned.push(spawnedAt - startedAt);
      bare.push(bareAt - publishedAt);
    }
    return [0.5, 0.99].map((q) => ({
      name: `p${q * 100}`,
      value: quantile(spawned, q),
      unit: 'ms' as const,
      ...against(quantile(spawned, q), 'bare loop', quantile(bare, q)),
      ...(q === 0.99 && { target: { of: 'ratio' as const, atMost: MOST_P99 } }),
    }));
  },
};
