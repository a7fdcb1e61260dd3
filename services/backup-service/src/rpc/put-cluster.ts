import { invalidArgument } from '@tidemark/errors/app-error';
import type {
  Cluster,
  PutClusterRequest,
  PutClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { checkBrOptions, toStoredBrOptions } from '../br-options.ts';
import { registryChanged } from '../events.ts';
import { toClusterMessage } from '../registry-message.ts';
import {
  isCleanAbsolutePath,
  isHostPort,
  isPool,
  isShortText,
  isTimeZone,
  isVersion,
  validation,
} from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownCluster, unknownStorage } from './refusals.ts';

const DEFAULT_POOL = 'default';
const MOST_PD = 32;

/** Registers a cluster or changes it. */
export function putCluster({ registry, now }: Dependencies) {
  return async (
    { cluster }: PutClusterRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<PutClusterResponse> => {
    if (!cluster) throw invalidArgument([{ field: 'cluster', description: 'must be set' }]);
    validate(cluster);
    if (!(await registry.storages.get(cluster.storageId, signal))) throw unknownStorage(cluster.storageId);
    const { id, name, pd, version, pool, storageId, timeZone, labels, tls, brOptions } = cluster;
    await registry.clusters.put(
      id,
      {
        name: name || id,
        pd,
        version,
        pool: pool || DEFAULT_POOL,
        storageId,
        timeZone,
        labels,
        tls,
        brOptions: brOptions && toStoredBrOptions(brOptions),
      },
      now(),
    );
    registryChanged('put cluster', id, caller, requestId);
    const stored = await registry.clusters.get(id, signal);
    if (!stored) throw unknownCluster(id);
    return { cluster: toClusterMessage(stored) };
  };
}

function validate({ id, name, pd, version, pool, storageId, timeZone, labels, tls, brOptions }: Cluster): void {
  const check = validation();
  check.id('clusterId', id);
  check.require(isShortText(name), 'name', 'must be at most 256 characters without control characters');
  check.require(pd.length >= 1 && pd.length <= MOST_PD, 'pd', `must name 1 to ${MOST_PD} addresses as host:port`);
  for (const [index, address] of pd.entries())
    check.require(isHostPort(address), `pd[${index}]`, 'must be host:port, such as 10.0.0.1:2379');
  check.require(version === '' || isVersion(version), 'version', 'must be a version such as 8.5.0');
  check.require(pool === '' || isPool(pool), 'pool', 'must be 1 to 32 small letters, digits or dashes');
  check.id('storageId', storageId);
  check.require(timeZone === '' || isTimeZone(timeZone), 'timeZone', 'must be an IANA name such as Europe/Berlin');
  for (const [label, value] of Object.entries(labels))
    check.require(
      label !== '' && isShortText(label) && isShortText(value),
      `labels.${label.slice(0, 64)}`,
      'must have a name, such as env, and be at most 256 characters',
    );
  for (const part of ['ca', 'cert', 'key'] as const)
    check.require(
      !tls?.[part] || isCleanAbsolutePath(tls[part]),
      `tls.${part}`,
      'must be an absolute path on the worker',
    );
  if (brOptions) checkBrOptions(check, brOptions);
  check.finish();
}
