import { invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import type { Cluster } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { clusterTokens } from '../calls/list-clusters.ts';
import { wrapToken } from '../calls/page-token.ts';
import type { CallDependencies } from '../calls/scope.ts';
import { toBrOptions, toBrOptionsView } from './br-options.ts';
import { PURPOSES, purposeOf } from './cluster-purpose.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/clusters.ts';
import { labelsOf } from './operations/common.ts';
import { route } from './route.ts';
import { saveOptions } from './save-query.ts';
import { parseQuery } from './validate.ts';

/** The clusters that Tidemark backs up. */
export function clusterRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  const CLUSTER = '/clusters/:clusterId';

  route(app, dependencies, {
    method: 'GET',
    path: '/clusters',
    operation: operations.listClusters,
    toRequest({ request }) {
      const query = parseQuery(operations.listClusters.query, request.query);
      const { page, pageSize = DEFAULT_PAGE_SIZE, pageToken, label, text = '' } = query;
      const filter = { labels: labelsOf(label), text };
      if (pageToken === undefined) return filter;
      if (page !== undefined)
        throw invalidArgument([{ field: 'page', description: 'must be left out where pageToken says where to go on' }]);
      return { ...filter, pageSize, pageToken };
    },
    toView({ clusters, nextPageToken }, { query }) {
      const { page = 1, pageSize = DEFAULT_PAGE_SIZE, pageToken } = query;
      if (pageToken !== undefined)
        return {
          data: { clusters: clusters.map(toClusterView), ...(nextPageToken !== '' && { pageToken: nextPageToken }) },
        };
      if (query.page === undefined && query.pageSize === undefined)
        return { data: { clusters: clusters.map(toClusterView) } };
      const shown = clusters.slice((page - 1) * pageSize, page * pageSize);
      const last = page * pageSize < clusters.length ? shown.at(-1)?.id : undefined;
      const tokens = clusterTokens({ labels: labelsOf(query.label), text: query.text ?? '' }, []);
      return {
        data: { clusters: shown.map(toClusterView), ...(last !== undefined && { pageToken: wrapToken(last, tokens) }) },
        page: { page, pageSize, total: clusters.length },
      };
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
    toRequest({ params, query, body }) {
      const { tls, brOptions, labels, purpose, restore, ...fields } = body;
      const options = toBrOptions(brOptions);
      return {
        ...saveOptions(query),
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
  const { id, name, pd, version, pool, storageId, timeZone, labels, tls, brOptions, purpose, restore, revision } =
    cluster;
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
    revision: Number(revision),
  };
}
