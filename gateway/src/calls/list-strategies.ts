import { create } from '@bufbuild/protobuf';
import { MAX_PAGE_SIZE } from '@tidemark/limits/limits';
import { ListStrategiesResponseSchema } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { listRules } from './lists.ts';
import { checkPageToken, unwrapToken, wrapToken } from './page-token.ts';
import { requireOnlyCluster } from './require-cluster.ts';
import type { Steps } from './steps.ts';

export const listStrategies: Steps<'listStrategies'> = {
  check: checkPageToken,
  async prepare(request, acting) {
    request.pageSize ||= MAX_PAGE_SIZE;
    await requireOnlyCluster(acting);
  },
  async act({ pageToken, ...request }, { scope, dependencies, asked }) {
    const tokens = { list: 's1', filters: [asked.toSorted(), request.withRetention] };
    const paging = { pageToken: unwrapToken(pageToken, tokens) };
    const { strategies, nextPageToken } = await listRules({ ...request, ...paging }, scope, dependencies);
    return create(ListStrategiesResponseSchema, { strategies, nextPageToken: wrapToken(nextPageToken, tokens) });
  },
};
