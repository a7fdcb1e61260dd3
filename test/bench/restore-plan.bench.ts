import { openApiWorld } from './api-world.ts';
import type { Benchmark } from './benchmark.ts';
import { mustCall } from './http-client.ts';
import { interleave } from './rounds.ts';
import { against, quantile } from './statistics.ts';

/** A good backup of the cluster that is read. */
const BACKUP = 'backup-00000000000001';

export const benchmark: Benchmark = {
  name: 'restore-plan',
  what: 'the plan of a restore over REST, one at a time, against one record from one process of bare Fastify and the driver',
  async run(context) {
    const { api, bare, one, signal, freshCluster } = await openApiWorld(context);
    const wish = { backupId: BACKUP, targetClusterId: freshCluster() };
    const times = await interleave(
      {
        plan: () => mustCall(api, 'POST', '/restores/plan', wish),
        record: () => mustCall(bare, 'GET', one),
      },
      { rounds: context.quick ? 100 : 1_000, warmUps: 100, signal },
    );
    return [0.5, 0.99].map((q) => ({
      name: `a plan, p${q * 100}`,
      value: quantile(times.plan, q),
      unit: 'ms' as const,
      ...against(quantile(times.plan, q), 'one record, bare', quantile(times.record, q)),
    }));
  },
};
