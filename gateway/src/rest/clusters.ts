import type { Cluster } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { authorizeCluster, requireRole, visibleClusters } from '../authorize.ts';
import { toBrOptions, toBrOptionsView } from './br-options.ts';
import { success } from './envelope.ts';
import { toError } from './error-response.ts';
import { timeOf } from './legacy-record.ts';
import * as operations from './operations/clusters.ts';
import { callOptions, type RequestScope, type RouteDependencies } from './route.ts';
import { bodyObject, parse } from './validate.ts';

type WithCluster = { Params: { clusterId: string } };

/** The clusters that Tidemark backs up. */
export function clusterRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry } = dependencies.backends;

  app.get('/clusters', { config: { operation: operations.listClusters } }, async (request) => {
    requireRole(request.caller, 'listClusters');
    const ids = visibleClusters(request.caller);
    const { clusters } = await registry.listClusters({ ids }, callOptions(request, dependencies));
    return success({ clusters: clusters.map(toClusterView) });
  });

  app.get<WithCluster>('/clusters/:clusterId', { config: { operation: operations.getCluster } }, async (request) => {
    const { clusterId } = parse(operations.getCluster.params, request.params);
    authorizeCluster(request.caller, 'getCluster', clusterId);
    const { cluster } = await registry.getCluster({ id: clusterId }, callOptions(request, dependencies));
    return success({ cluster: cluster && toClusterView(cluster) });
  });

  app.put<WithCluster>(
    '/clusters/:clusterId',
    { config: { audit: 'put cluster', operation: operations.putCluster } },
    async (request) => {
      const { clusterId } = parse(operations.getCluster.params, request.params);
      request.audited = { clusterId };
      authorizeCluster(request.caller, 'putCluster', clusterId);
      const { tls, brOptions, labels, ...fields } = parse(operations.putCluster.body, bodyObject(request.body));
      const options = toBrOptions(brOptions);
      const { cluster } = await registry.putCluster(
        {
          cluster: {
            ...fields,
            id: clusterId,
            labels: labels ?? {},
            ...(tls && { tls }),
            ...(options && { brOptions: options }),
          },
        },
        callOptions(request, dependencies),
      );
      return success({ cluster: cluster && toClusterView(cluster) });
    },
  );

  app.delete<WithCluster>(
    '/clusters/:clusterId',
    { config: { audit: 'delete cluster', operation: operations.deleteCluster } },
    async (request) => {
      const { clusterId } = parse(operations.getCluster.params, request.params);
      request.audited = { clusterId };
      authorizeCluster(request.caller, 'deleteCluster', clusterId);
      await forgetCluster(request, dependencies, clusterId);
      return success({});
    },
  );
}

/** Removes the registration of a cluster, and its strategy with it. @throws AppError `cluster_in_use`, `cluster_not_found` */
export async function forgetCluster(
  request: RequestScope,
  dependencies: RouteDependencies,
  clusterId: string,
): Promise<void> {
  const { registry, strategies } = dependencies.backends;
  const options = () => callOptions(request, dependencies);
  try {
    await registry.deleteCluster({ id: clusterId }, options());
  } catch (error) {
    // An earlier try may have come this far and no further: its strategy must not live on.
    if (toError(error).code === 'cluster_not_found') await strategies.deleteStrategy({ clusterId }, options());
    throw error;
  }
  await strategies.deleteStrategy({ clusterId }, options());
}

function toClusterView(cluster: Cluster): operations.ClusterView {
  const { id, name, pd, version, pool, storageId, timeZone, labels, tls, brOptions } = cluster;
  return {
    id,
    name,
    pd,
    version,
    pool,
    storageId,
    timeZone,
    labels,
    ...(tls && { tls: { ca: tls.ca, cert: tls.cert, key: tls.key } }),
    ...(brOptions && { brOptions: toBrOptionsView(brOptions) }),
    createTime: timeOf(cluster.createTime),
    updateTime: timeOf(cluster.updateTime),
  };
}
