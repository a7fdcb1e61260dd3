import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import type { Cluster } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { toBrOptions, toBrOptionsView } from './br-options.ts';
import { PURPOSES, purposeOf } from './cluster-purpose.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/clusters.ts';
import { route } from './route.ts';
import { parseQuery } from './validate.ts';

/** The clusters that Tidemark backs up. */
export function clusterRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  const CLUSTER = '/clusters/:clusterId';

  route(app, dependencies, {
    method: 'GET',
    path: '/clusters',
    operation: operations.listClusters,
    toRequest({ request }) {
      parseQuery(operations.listClusters.query, request.query);
      return {};
    },
    toView({ clusters }, { query }) {
      if (query.page === undefined && query.pageSize === undefined)
        return { data: { clusters: clusters.map(toClusterView) } };
      const { page = 1, pageSize = DEFAULT_PAGE_SIZE } = query;
      const shown = clusters.slice((page - 1) * pageSize, page * pageSize);
      return { data: { clusters: shown.map(toClusterView) }, page: { page, pageSize, total: clusters.length } };
    },
  });

  route(app, dependencies, {
    method: 'GET',
    path: CLUSTER,
    operation: operations.getCluster,
    toRequest: ({ params }) => ({ id: params.clusterId }),
    toView: ({ cluster }) => ({ data: { cluster: cluster && toClusterView(cluster) } }),
  });

  route(app, dependencies, {
    method: 'PUT',
    path: CLUSTER,
    operation: operations.putCluster,
    toRequest({ params, body }) {
      const { tls, brOptions, labels, purpose, restore, ...fields } = body;
      const options = toBrOptions(brOptions);
      return {
        cluster: {
          ...fields,
          id: params.clusterId,
          labels: labels ?? {},
          ...(purpose && { purpose: PURPOSES[purpose] }),
          ...(restore && { restore: { strictLoss: restore.strictLoss ?? false } }),
          ...(tls && { tls }),
          ...(options && { brOptions: options }),
        },
      };
    },
    toView: ({ cluster }) => ({ data: { cluster: cluster && toClusterView(cluster) } }),
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: CLUSTER,
    operation: operations.deleteCluster,
    toRequest: ({ params }) => ({ id: params.clusterId }),
    toView: () => ({ data: {} }),
  });
}

function toClusterView(cluster: Cluster): operations.ClusterView {
  const { id, name, pd, version, pool, storageId, timeZone, labels, tls, brOptions, purpose, restore } = cluster;
  return {
    id,
    name,
    pd,
    version,
    pool,
    storageId,
    timeZone,
    labels,
    purpose: purposeOf(purpose) ?? 'production',
    restore: { strictLoss: restore?.strictLoss ?? false },
    ...(tls && { tls: { ca: tls.ca, cert: tls.cert, key: tls.key } }),
    ...(brOptions && { brOptions: toBrOptionsView(brOptions) }),
    createTime: timeOf(cluster.createTime),
    updateTime: timeOf(cluster.updateTime),
  };
}
