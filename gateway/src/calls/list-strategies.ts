import { create } from '@bufbuild/protobuf';
import { MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { ListStrategiesResponseSchema } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { listRules } from './lists.ts';
import { requireOnlyCluster } from './require-cluster.ts';
import type { Steps } from './steps.ts';

export const listStrategies: Steps<'listStrategies'> = {
  async prepare(request, acting) {
    request.pageSize ||= MAX_PAGE_SIZE;
    await requireOnlyCluster(acting);
  },
  act: async (request, { scope, dependencies }) =>
    create(ListStrategiesResponseSchema, await listRules(request, scope, dependencies)),
};
