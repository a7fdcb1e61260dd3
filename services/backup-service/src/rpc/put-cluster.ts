import { brOptionsViolations } from '@tidemark/br-options/br-options';
import { isCleanAbsolutePath, isPdAddress, plainPdAddress } from '@tidemark/br-options/names';
import { AppError, type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_LABELS, MAX_LABELS_BYTES, MAX_PD, MAX_QUOTED_NAME } from '@tidemark/limits/limits';
import { requireRevision } from '@tidemark/mongo/expected-revision';
import { persist } from '@tidemark/mongo/persist';
import type {
  Cluster,
  PutClusterRequest,
  PutClusterResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { isTimeZone } from '@tidemark/schedule/time-zone';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toStoredBrOptions } from '../br-options.ts';
import { fromPurposeMessage } from '../cluster-purpose.ts';
import { registryChanged } from '../events.ts';
import { toClusterMessage } from '../registry-message.ts';
import { type ClusterDocument, revisionOf, stampOf } from '../registry-store.ts';
import type { Restore } from '../restore/restore.ts';
import { mayUseStorage } from '../storage-access.ts';
import { isPool, isShortText, isVersion, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { calledFor, unusableStorage } from './refusals.ts';

const DEFAULT_POOL = 'default';

/**
 * Registers a cluster or changes it; where `br` finds it and who serves it stay as they are while a restore has it.
 *
 * What is there is read, looked at and replaced by compare-and-set on its revision, and all that again where somebody else was
 * quicker: so a save for a certain revision is never one over another.
 */
export function putCluster({ registry, pds, store, now }: Dependencies) {
  return async (
    { cluster: asked, limitedCaller = false, validateOnly = false, revision }: PutClusterRequest,
    { caller, requestId, callId, sees, signal }: CallContext,
  ): Promise<PutClusterResponse> => {
    if (!asked) throw invalidArgument([{ field: 'cluster', description: 'must be set' }]);
    const cluster = normalized(asked);
    validate(cluster);
    const saved = await persist(signal, async () => {
      const [storage, before] = await Promise.all([
        registry.storages.get(cluster.storageId, signal),
        registry.clusters.get(cluster.id, signal),
      ]);
      // Its answer was lost, and this is its repeat.
      if (before?.savedIn === callId) return before;
      requireRevision(`Cluster ${cluster.id}`, revision, before && { revision: revisionOf(before) });
      const pool = cluster.pool || DEFAULT_POOL;
      if (before && !(isSamePlace(before, cluster) && before.pool === pool)) {
        const { restore } = (await store.findActive(cluster.id, signal)) ?? {};
        if (restore) throw heldInPlace(cluster.id, restore, sees);
      }
      if (limitedCaller && !(before && isSamePlace(before, cluster))) {
        // Who is limited to more clusters than a call can name seems to see all, also the one without a name.
        const isSeen = (id: string) => sees(id) && !sees('');
        const shared = await pds.namesakes({ _id: cluster.id, pd: cluster.pd }, signal);
        if (!shared.every(({ _id }) => isSeen(_id))) throw foreignPd(cluster.id);
      }
      const placedByLimited =
        limitedCaller && !(before && isSamePlace(before, cluster) && !before.placedByLimited) ? true : undefined;
      // With the labels that it is to have: an admin who takes one away takes the storage away.
      const wanted = { _id: cluster.id, labels: cluster.labels, ...(placedByLimited && { placedByLimited }) };
      if (!storage || !mayUseStorage(storage, wanted)) throw unusableStorage(cluster.storageId, cluster.id);
      const at = now();
      const after: ClusterDocument = {
        ...fieldsOf(cluster),
        pool,
        placedByLimited,
        ...stampOf(before, callId, at),
      };
      if (!validateOnly && !(await registry.clusters.write(before, after))) return 'again';
      return after;
    });
    if (!validateOnly) registryChanged('put cluster', cluster.id, caller, requestId);
    return { cluster: toClusterMessage(saved) };
  };
}

function fieldsOf(cluster: Cluster) {
  const { id, name, pd, version, storageId, timeZone, labels, tls, brOptions, purpose, restore } = cluster;
  return {
    _id: id,
    name: name || id,
    pd,
    version,
    storageId,
    timeZone,
    labels,
    tls,
    brOptions: brOptions && toStoredBrOptions(brOptions),
    purpose: fromPurposeMessage(purpose),
    restore: restore?.strictLoss ? { strictLoss: true } : undefined,
  };
}

/** Whether `br` would find the same cluster, and trust the same authority. */
function isSamePlace(one: ClusterDocument, other: Cluster): boolean {
  const place = ({
    pd,
    tls,
  }: {
    readonly pd: readonly string[];
    readonly tls?: Cluster['tls'] | ClusterDocument['tls'];
  }) => JSON.stringify([[...pd].sort(), tls?.ca ?? '', tls?.cert ?? '', tls?.key ?? '']);
  return place(one) === place(other);
}

/** As BR understands it: it takes a PD with a scheme and a version with its `v`, and means the same. */
function normalized(cluster: Cluster): Cluster {
  return {
    ...cluster,
    version: cluster.version.replace(/^v(?=\d)/, ''),
    pd: cluster.pd.map(plainPdAddress),
  };
}

function foreignPd(clusterId: string): AppError {
  return new AppError(
    'permission_denied',
    `A PD of cluster ${clusterId} is that of a cluster which is registered under another name, outside of what you see: to register it twice is for admins of all clusters.`,
    { info: { clusterId } },
  );
}

function heldInPlace(clusterId: string, restore: Restore, sees: CallContext['sees']): AppError {
  const { state, targetState } = restore;
  const { who, named } = calledFor(restore, sees);
  return new AppError(
    'cluster_in_use',
    `${who} has cluster ${clusterId} (${state}, target ${targetState}): its PD, TLS files and pool stay as they are until it is over. Cancel or release it first.`,
    { info: { clusterId, ...named } },
  );
}

function validate({ name, pd, version, pool, storageId, timeZone, labels, tls, brOptions, purpose }: Cluster): void {
  const check = validation();
  check.require(isShortText(name), 'name', 'must be at most 256 characters without control characters');
  check.require(pd.length >= 1 && pd.length <= MAX_PD, 'pd', `must name 1 to ${MAX_PD} addresses as host:port`);
  for (const [index, address] of pd.slice(0, MAX_PD).entries())
    check.require(isPdAddress(address), `pd[${index}]`, 'must be host:port, such as 10.0.0.1:2379');
  check.require(version === '' || isVersion(version), 'version', 'must be a version such as 8.5.0');
  check.require(pool === '' || isPool(pool), 'pool', 'must be 1 to 32 small letters, digits or dashes');
  check.id('storageId', storageId);
  check.require(
    timeZone === '' || isTimeZone(timeZone),
    'timeZone',
    'must be an IANA name such as Europe/Berlin, of a zone that is not obsolete',
  );
  check.add(labelViolations(labels));
  for (const part of ['ca', 'cert', 'key'] as const)
    check.require(
      !tls?.[part] || isCleanAbsolutePath(tls[part]),
      `tls.${part}`,
      'must be an absolute path on the worker',
    );
  if (brOptions) check.add(brOptionsViolations(brOptions, { isNew: true }));
  check.require(fromPurposeMessage(purpose) !== undefined, 'purpose', 'must be production, dr or scratch');
  check.finish();
}

function labelViolations(labels: Cluster['labels']): FieldViolation[] {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) return [{ field: 'labels', description: `must be at most ${MAX_LABELS} labels` }];
  const bytes = entries.flat().reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > MAX_LABELS_BYTES)
    return [{ field: 'labels', description: `must be at most ${MAX_LABELS_BYTES} bytes together, names and values` }];
  return entries.flatMap(([label, value]) =>
    label !== '' && isShortText(label) && isShortText(value)
      ? []
      : [
          {
            field: `labels.${label.slice(0, MAX_QUOTED_NAME)}`,
            description: 'must have a name, such as env, and be at most 256 characters',
          },
        ],
  );
}
