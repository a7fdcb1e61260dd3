/**
 * Whose TiKVs get the keys of a storage: `br` hands them to every TiKV that a cluster's PD names (br-contract 2), so who
 * chooses the PD of a cluster with such a storage gets the keys. That is for admins of all clusters alone.
 */

import { plainPdAddress } from '@tidemark/br-options/names';
import { AppError } from '@tidemark/errors/app-error';
import type { Cluster, Storage } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { seesAll } from '../authorize.ts';
import { toError } from '../to-error.ts';
import { type CallDependencies, callOptions, type RequestScope } from './scope.ts';

type Place = Pick<Cluster, 'id' | 'pd' | 'storageId'> & { readonly tls?: { [part in TlsPart]?: string } | undefined };
type TlsPart = 'ca' | 'cert' | 'key';

const TLS_PARTS: readonly TlsPart[] = ['ca', 'cert', 'key'];

/**
 * Looks at a cluster before an admin of some clusters registers or changes it.
 *
 * @throws AppError `permission_denied` when that would show others the keys of a storage
 */
export async function requireKeptCredentials(
  wanted: Place,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<void> {
  if (seesAll(scope.caller)) return;
  const known = await registeredCluster(wanted.id, scope, dependencies);
  if (known && isSamePlace(known, wanted)) return;
  const storageIds = new Set([wanted.storageId, ...(known ? [known.storageId] : [])]);
  for (const id of storageIds) {
    // Nothing is said about a storage that is not for the cluster; the service says that there is none.
    const clusterId = id === known?.storageId ? '' : wanted.id;
    const { storage } = await dependencies.backends.registry
      .getStorage({ id, clusterId }, callOptions(scope, dependencies))
      .catch(orNothing);
    if (storage && sendsCredentials(storage))
      throw new AppError(
        'permission_denied',
        `Storage ${id} has credentials, which br hands to every TiKV that the cluster's PD names: its pd, tls and storage are set by admins of all clusters; "${scope.caller.name}" is limited to some.`,
        { info: { clusterId: wanted.id } },
      );
  }
}

/** A cluster as it is registered now; undefined where it is not, or has no proper id. */
export async function registeredCluster(
  id: string,
  scope: RequestScope,
  dependencies: CallDependencies,
): Promise<Cluster | undefined> {
  const { registry } = dependencies.backends;
  const { cluster } = await registry.getCluster({ id }, callOptions(scope, dependencies)).catch(orNothing);
  return cluster;
}

const orNothing = (error: unknown): { cluster?: Cluster; storage?: Storage } => {
  const { code } = toError(error);
  if (code === 'cluster_not_found' || code === 'storage_not_found' || code === 'invalid_argument') return {};
  throw error;
};

function isSamePlace(known: Place, wanted: Place): boolean {
  const pd = (place: Place) => place.pd.map(plainPdAddress).toSorted().join();
  const tls = (place: Place) => TLS_PARTS.map((part) => place.tls?.[part] ?? '').join('\n');
  return known.storageId === wanted.storageId && pd(known) === pd(wanted) && tls(known) === tls(wanted);
}

function sendsCredentials({ location, sendCredentialsToTikv = true }: Storage): boolean {
  return location.case !== 'local' && sendCredentialsToTikv;
}
