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
import { isCleanAbsolutePath, isCleanRelativePath, validation } from '../validate.ts';
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
    const { id, root, maxConcurrent, location } = storage;
    await registry.storages.put(id, { local: location?.value, root: root || DEFAULT_ROOT, maxConcurrent }, now());
    registryChanged('put storage', id, caller, requestId);
    const stored = await registry.storages.get(id, signal);
    if (!stored) throw unknownStorage(id);
    return { storage: toStorageMessage(stored) };
  };
}

function validate({ id, root, maxConcurrent, location }: Storage): void {
  const check = validation();
  check.id('storageId', id);
  check.require(location !== undefined, 'type', 'must be "local": other storages are not supported yet');
  if (location)
    check.require(
      isCleanAbsolutePath(location.value.path),
      'path',
      'must be an absolute folder below / without "." or "..", at the same place on the worker and on every TiKV',
    );
  check.require(root === '' || isCleanRelativePath(root), 'root', 'must be a relative path such as nfs/em/backup');
  check.require(maxConcurrent <= MOST_CONCURRENT, 'maxConcurrent', `must be from 0 to ${MOST_CONCURRENT}`);
  check.finish();
}
