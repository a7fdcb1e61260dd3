import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { seesAll } from '../authorize.ts';
import { checkPageToken } from './page-token.ts';
import { requireOnlyCluster } from './require-cluster.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const listAuditEntries: Steps<'listAuditEntries'> = {
  check: checkPageToken,
  prepare(request, { scope, asked }) {
    request.pageSize ||= DEFAULT_PAGE_SIZE;
    request.withinSight = asked.length === 0;
    request.limitedCaller = !seesAll(scope.caller);
  },
  async act(request, acting) {
    const { scope, dependencies } = acting;
    const found = await dependencies.backends.audit.listAuditEntries(request, callOptions(scope, dependencies));
    // A cluster that was never there is told apart from one without entries; of one that is gone there are some.
    if (found.entries.length === 0 && request.pageToken === '') await requireOnlyCluster(acting);
    return found;
  },
};
