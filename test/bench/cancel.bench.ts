import { setTimeout as sleep } from 'node:timers/promises';
import { addClusters, startBackup, untilCount } from './backup-lives.ts';
import { startBareLoop } from './bare-loop.ts';
import type { Benchmark } from './benchmark.ts';
import { mustCall, openHttpClient } from './http-client.ts';
import { makeNullBr } from './null-br.ts';
import { against, quantile } from './statistics.ts';

const MOST_P99_MS = 50;
/** A `br` runs for up to this long before it is cancelled: wherever its worker is between two renewals by then. */
const MOST_RUN_MS = 2_500;

export const benchmark: Benchmark = {
  name: 'cancel',
  what: 'from sending POST /backups/cancel to TERM in a br that prints progress, against a bare broadcast and kill',
  async run(context) {
    const { signal } = context;
    const times = context.quick ? 15 : 100;
    const database = context.database();
    const br = context.use(makeNullBr());
    const stack = await context.processes(database, {
      copies: { 'executor-worker': 1 },
      br: [br.endless],
      env: { gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' } },
    });
    const api = context.use(openHttpClient(`${stack.url}/api/v1`, stack.token));
    const { endless: program } = br;
    const loop = context.use(await startBareLoop(context, { program, storage: stack.storage, workers: 1 }));
    const clusters = await addClusters(database, 'cancel', times);

    const [told, bare]: [number[], number[]] = [[], []];
    context.say(`${times} cancels, one after the other`);
    for (const [index, clusterId] of clusters.entries()) {
      signal.throwIfAborted();
      const backupId = await startBackup(api, clusterId);
      await br.at('began', clusterId);
      await sleep((MOST_RUN_MS * (index + 1)) / times, undefined, { signal });
      const canceledAt = performance.now();
      await mustCall(api, 'POST', '/backups/cancel', { clusterId, backupId });
      told.push((await br.at('told', clusterId)) - canceledAt);
      await untilCount(database, { state: 'Canceled', count: index + 1, signal });

      await loop.run(`bare-${clusterId}`);
      await br.at('began', `bare-${clusterId}`);
      const broadcastAt = performance.now();
      await loop.cancel(`bare-${clusterId}`);
      bare.push((await br.at('told', `bare-${clusterId}`)) - broadcastAt);
      await br.at('ended', `bare-${clusterId}`);
    }
    return [0.5, 0.99].map((q) => ({
      name: `p${q * 100}`,
      value: quantile(told, q),
      unit: 'ms' as const,
      ...against(quantile(told, q), 'bare broadcast', quantile(bare, q)),
      ...(q === 0.99 && { target: { of: 'value' as const, atMost: MOST_P99_MS } }),
    }));
  },
};
