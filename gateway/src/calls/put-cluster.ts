import { seesAll } from '../authorize.ts';
import { requireKeptCredentials } from './keep-credentials.ts';
import { requireKeptLabels } from './keep-labels.ts';
import type { Steps } from './steps.ts';

export const putCluster: Steps<'putCluster'> = {
  async prepare(request, { scope, dependencies }) {
    const { cluster } = request;
    request.limitedCaller = !seesAll(scope.caller);
    if (!cluster) return;
    await requireKeptLabels(cluster, scope, dependencies);
    await requireKeptCredentials(cluster, scope, dependencies);
  },
};
