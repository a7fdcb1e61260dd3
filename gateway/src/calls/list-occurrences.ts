import { create } from '@bufbuild/protobuf';
import { ListOccurrencesResponseSchema } from '@tidemark/protocol/connect/tidemark/scheduler/v1/occurrence_service';
import { listOccurrences as listAll } from './lists.ts';
import { checkPageToken } from './page-token.ts';
import { requireOnlyCluster } from './require-cluster.ts';
import { setPage } from './set-page.ts';
import type { Steps } from './steps.ts';

export const listOccurrences: Steps<'listOccurrences'> = {
  check: checkPageToken,
  async prepare(request, acting) {
    setPage(request, acting);
    await requireOnlyCluster(acting);
  },
  act: async (request, { scope, dependencies }) =>
    create(ListOccurrencesResponseSchema, await listAll(request, scope, dependencies)),
};
