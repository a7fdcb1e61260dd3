import { isDeepStrictEqual } from 'node:util';
import { readPublicKey } from '@tidemark/backupmeta/signature';
import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_CONCURRENT_BACKUPS, MAX_MANIFEST_KEY, MAX_MANIFEST_KEYS, MAX_TRASH_DAYS } from '@tidemark/limits/limits';
import { requireRevision } from '@tidemark/mongo/expected-revision';
import { persist } from '@tidemark/mongo/persist';
import type {
  PutStorageRequest,
  PutStorageResponse,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { DEFAULT_ROOT } from '../backup-path.ts';
import { registryChanged } from '../events.ts';
import { toStorageMessage } from '../registry-message.ts';
import { type RegistryStore, revisionOf, type StorageDocument, stampOf } from '../registry-store.ts';
import { mayUse, type UsableBy, usableByViolations } from '../storage-access.ts';
import { checkLocation, locationOf, normalizedLocation, toStoredLocation } from '../storage-location.ts';
import { isCleanRelativePath, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { stillUsed } from './refusals.ts';

/** Registers a storage or changes it, as `putCluster` does a cluster. */
export function putStorage({ registry, dispatcher, now }: Dependencies) {
  return async (
    { storage: asked, validateOnly = false, revision }: PutStorageRequest,
    { caller, requestId, callId, signal }: CallContext,
  ): Promise<PutStorageResponse> => {
    if (!asked) throw invalidArgument([{ field: 'storage', description: 'must be set' }]);
    const storage = { ...asked, location: normalizedLocation(asked.location) };
    validate(storage);
    const { id, root, maxConcurrent, trashDays, manifestKeys, gone } = storage;
    const usableBy = storage.usableBy && {
      clusters: [...new Set(storage.usableBy.clusters)],
      labels: storage.usableBy.labels,
    };
    // A storage is put whole: what it was before must not shine through.
    const cleared = { local: undefined, s3: undefined, azure: undefined, gcs: undefined };
    const stated = { credentials: undefined, sendCredentialsToTikv: undefined, ...toStoredLocation(storage) };
    let replaced: StorageDocument | undefined;
    const saved = await persist(signal, async () => {
      const before = await registry.storages.get(id, signal);
      // Its answer was lost, and this is its repeat.
      if (before?.savedIn === callId) return before;
      requireRevision(`Storage ${id}`, revision, before && { revision: revisionOf(before) });
      if (usableBy) await requireKeptOwners(registry, id, { before: before?.usableBy, after: usableBy }, signal);
      const after: StorageDocument = {
        ...cleared,
        ...stated,
        _id: id,
        root: root || DEFAULT_ROOT,
        maxConcurrent,
        trashDays,
        manifestKeys,
        gone,
        usableBy,
        ...stampOf(before, callId, now()),
      };
      replaced = before;
      if (!validateOnly && !(await registry.storages.write(before, after))) return 'again';
      return after;
    });
    if (validateOnly) return { storage: toStorageMessage(saved) };
    registryChanged('put storage', id, caller, requestId);
    const stored = replaced && (await registry.storages.get(id, signal));
    // What failed for the old way in is tried with the new one.
    if (replaced && stored && !isDeepStrictEqual(locationOf(replaced), locationOf(stored)))
      await dispatcher.retryIn(id);
    return { storage: toStorageMessage(saved) };
  };
}

/**
 * A cluster is never left behind with a storage that it may not use; those that may not use it already are no reason.
 *
 * @throws AppError `storage_in_use` naming the clusters
 */
async function requireKeptOwners(
  { clusters }: RegistryStore,
  id: string,
  { before, after }: { readonly before: UsableBy | undefined; readonly after: UsableBy },
  signal: AbortSignal,
): Promise<void> {
  const owners = await clusters.withStorage(id, signal);
  const left = owners.filter((cluster) => mayUse(before, cluster) && !mayUse(after, cluster));
  if (left.length > 0)
    throw stillUsed(
      id,
      left.map(({ _id }) => _id),
    );
}

/** Of two keys in one text the first alone would be taken. */
const isPublicKey = (pem: string) =>
  pem.length <= MAX_MANIFEST_KEY && pem.split('-----BEGIN ').length === 2 && readPublicKey(pem) !== undefined;

function validate(storage: Storage): void {
  const { root, maxConcurrent, trashDays, manifestKeys } = storage;
  const check = validation();
  checkLocation(check, storage);
  check.require(root === '' || isCleanRelativePath(root), 'root', 'must be a relative path such as nfs/em/backup');
  check.require(
    maxConcurrent <= MAX_CONCURRENT_BACKUPS,
    'maxConcurrent',
    `must be from 0 to ${MAX_CONCURRENT_BACKUPS}`,
  );
  check.require(trashDays <= MAX_TRASH_DAYS, 'trashDays', `must be from 0 to ${MAX_TRASH_DAYS}`);
  check.require(manifestKeys.length <= MAX_MANIFEST_KEYS, 'manifestKeys', `must be at most ${MAX_MANIFEST_KEYS} keys`);
  // What is no public key may be a private one: it is not quoted.
  check.require(
    manifestKeys.slice(0, MAX_MANIFEST_KEYS).every(isPublicKey),
    'manifestKeys',
    `must be public Ed25519 keys in PEM form, one in each entry and each of at most ${MAX_MANIFEST_KEY} characters (openssl pkey -in key.pem -pubout), and never a private key`,
  );
  if (storage.usableBy) check.add(usableByViolations(storage.usableBy));
  check.finish();
}
