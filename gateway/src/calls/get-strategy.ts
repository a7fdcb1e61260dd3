import { create } from '@bufbuild/protobuf';
import { GetStrategyResponseSchema } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { DEFAULT_RULE, findRule } from './find-rule.ts';
import { requireCluster } from './require-cluster.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const getStrategy: Steps<'getStrategy'> = {
  async act({ clusterId, rule }, acting) {
    const { scope, dependencies } = acting;
    if (rule !== '' && rule !== DEFAULT_RULE)
      return create(GetStrategyResponseSchema, { strategy: await findRule(scope, dependencies, clusterId, rule) });
    const { strategies } = dependencies.backends;
    const asked = strategies.getStrategy({ clusterId, rule }, callOptions(scope, dependencies));
    // Of a cluster that is not there nobody hears what its rule would be.
    asked.catch(() => undefined);
    const cluster = await requireCluster(clusterId, acting);
    const found = await asked;
    if (found.strategy && found.strategy.revision > 0n) return found;
    // It has no zone of its own yet: a first save would take the cluster's.
    if (found.strategy && cluster?.timeZone) found.strategy.timeZone = cluster.timeZone;
    return found;
  },
};
