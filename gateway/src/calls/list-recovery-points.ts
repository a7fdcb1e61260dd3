import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { checkPageToken } from './page-token.ts';
import { requireCluster } from './require-cluster.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const listRecoveryPoints: Steps<'listRecoveryPoints'> = {
  check: checkPageToken,
  prepare(request) {
    request.pageSize ||= DEFAULT_PAGE_SIZE;
  },
  async act(request, acting) {
    const { scope, dependencies } = acting;
    const found = await dependencies.backends.backups.listRecoveryPoints(request, callOptions(scope, dependencies));
    // A cluster that was never there is told apart from one that cannot be brought back; one that is gone can be.
    if (!found.newest) await requireCluster(request.clusterId, acting);
    return found;
  },
};
