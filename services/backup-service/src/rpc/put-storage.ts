import { invalidArgument } from '@tidemark/errors/app-error';
import type {
  PutStorageRequest,
  PutStorageResponse,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { DEFAULT_ROOT } from '../backup-path.ts';
import { registryChanged } from '../events.ts';
import { toStorageMessage } from '../registry-message.ts';
import { checkLocation, toStoredLocation } from '../storage-location.ts';
import { isCleanRelativePath, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownStorage } from './refusals.ts';

const MOST_CONCURRENT = 1_000;

/** Registers a storage or changes it. */
export function putStorage({ registry, now }: Dependencies) {
  return async (
    { storage }: PutStorageRequest,
    { caller, requestId, signal }: CallContext,
  ): Promise<PutStorageResponse> => {
    if (!storage) throw invalidArgument([{ field: 'storage', description: 'must be set' }]);
    validate(storage);
    const { id, root, maxConcurrent } = storage;
    // A storage is put whole: what it was before must not shine through.
    const cleared = { local: undefined, s3: undefined, azure: undefined, gcs: undefined };
    const asked = { credentials: undefined, sendCredentialsToTikv: undefined, ...toStoredLocation(storage) };
    await registry.storages.put(id, { ...cleared, ...asked, root: root || DEFAULT_ROOT, maxConcurrent }, now());
    registryChanged('put storage', id, caller, requestId);
    const stored = await registry.storages.get(id, signal);
    if (!stored) throw unknownStorage(id);
    return { storage: toStorageMessage(stored) };
  };
}

function validate(storage: Storage): void {
  const { id, root, maxConcurrent } = storage;
  const check = validation();
  check.id('storageId', id);
  checkLocation(check, storage);
  check.require(root === '' || isCleanRelativePath(root), 'root', 'must be a relative path such as nfs/em/backup');
  check.require(maxConcurrent <= MOST_CONCURRENT, 'maxConcurrent', `must be from 0 to ${MOST_CONCURRENT}`);
  check.finish();
}
