import { toError } from '../to-error.ts';
import { callOptions } from './scope.ts';
import type { Steps } from './steps.ts';

export const deleteCluster: Steps<'deleteCluster'> = {
  /**
   * The registration of a cluster goes, and its strategy and its drill with it. strategy-service hears of it first: it keeps which clusters
   * are there, and must not tell of one that is gone, wherever this ends.
   */
  async act({ id: clusterId }, { scope, dependencies }) {
    const { drills, registry, strategies } = dependencies.backends;
    const options = () => callOptions(scope, dependencies);
    const deleteStrategy = () => strategies.deleteStrategy({ clusterId }, options());
    const deleteDrill = () =>
      drills.deleteDrill({ clusterId }, options()).catch((error: unknown) => {
        if (toError(error).code !== 'drill_not_found') throw error;
      });
    await strategies.doubtCluster({ clusterId }, options());
    try {
      const response = await registry.deleteCluster({ id: clusterId }, options());
      await deleteStrategy();
      await deleteDrill();
      return response;
    } catch (error) {
      // An earlier try may have come this far and no further: neither may live on.
      if (toError(error).code === 'cluster_not_found') {
        await deleteStrategy();
        await deleteDrill();
      }
      throw error;
    }
  },
};
