import type { Cluster } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { authorizeCluster, requireRole, visibleClusters } from '../authorize.ts';
import { BrOptionsBody, toBrOptions, toBrOptionsView } from './br-options.ts';
import { success } from './envelope.ts';
import { toError } from './error-response.ts';
import { timeOf } from './legacy-record.ts';
import { callOptions, type RequestScope, type RouteDependencies } from './route.ts';
import { bodyObject, Id, leftOut, parse, required } from './validate.ts';

const text = leftOut(z.string('must be a text').max(1_024, 'must be at most 1024 characters'));
const Body = z.object({
  name: text,
  pd: z.array(z.string('must be host:port'), 'must be a list of host:port').default([]),
  version: text,
  pool: text,
  storageId: required(Id),
  timeZone: text,
  labels: z
    .record(
      z.string(),
      z.string('must be a text, such as "prod"'),
      'must be an object of labels and their values, such as {"env":"prod"}',
    )
    .nullish(),
  tls: z.object({ ca: text, cert: text, key: text }, 'must be {"ca","cert","key"}: paths on the worker').nullish(),
  brOptions: BrOptionsBody,
});

type WithCluster = { Params: { clusterId: string } };

/** The clusters that Tidemark backs up. */
export function clusterRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry } = dependencies.backends;

  app.get('/clusters', async (request) => {
    requireRole(request.caller, 'listClusters');
    const ids = visibleClusters(request.caller);
    const { clusters } = await registry.listClusters({ ids }, callOptions(request, dependencies));
    return success({ clusters: clusters.map(toClusterView) });
  });

  app.get<WithCluster>('/clusters/:clusterId', async (request) => {
    const { clusterId } = parse(z.object({ clusterId: Id }), request.params);
    authorizeCluster(request.caller, 'getCluster', clusterId);
    const { cluster } = await registry.getCluster({ id: clusterId }, callOptions(request, dependencies));
    return success({ cluster: cluster && toClusterView(cluster) });
  });

  app.put<WithCluster>('/clusters/:clusterId', { config: { audit: 'put cluster' } }, async (request) => {
    const { clusterId } = parse(z.object({ clusterId: Id }), request.params);
    request.audited = { clusterId };
    authorizeCluster(request.caller, 'putCluster', clusterId);
    const { tls, brOptions, labels, ...fields } = parse(Body, bodyObject(request.body));
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
  });

  app.delete<WithCluster>('/clusters/:clusterId', { config: { audit: 'delete cluster' } }, async (request) => {
    const { clusterId } = parse(z.object({ clusterId: Id }), request.params);
    request.audited = { clusterId };
    authorizeCluster(request.caller, 'deleteCluster', clusterId);
    await forgetCluster(request, dependencies, clusterId);
    return success({});
  });
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

function toClusterView(cluster: Cluster): object {
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
