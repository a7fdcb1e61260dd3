import { toError } from '../to-error.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const deleteCluster: Steps<'deleteCluster'> = {
  /**
   * The registration of a cluster goes, and its strategy with it. strategy-service hears of it first: it keeps which clusters
   * are there, and must not tell of one that is gone, wherever this ends.
   */
  async act({ id: clusterId }, { scope, dependencies }) {
    const { registry, strategies } = dependencies.backends;
    const options = () => callOptions(scope, dependencies);
    const deleteStrategy = () => strategies.deleteStrategy({ clusterId }, options());
    await strategies.doubtCluster({ clusterId }, options());
    try {
      const response = await registry.deleteCluster({ id: clusterId }, options());
      await deleteStrategy();
      return response;
    } catch (error) {
      // An earlier try may have come this far and no further: its strategy must not live on.
      if (toError(error).code === 'cluster_not_found') await deleteStrategy();
      throw error;
    }
  },
};
