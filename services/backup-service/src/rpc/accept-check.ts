import { randomBytes } from 'node:crypto';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { checkAccepted } from '../events.ts';
import { type CheckKind, newCheck, type StorageCheck } from '../storage-check.ts';
import { locationOf } from '../storage-location.ts';
import { isPool, validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { unknownStorage } from './refusals.ts';

const DEFAULT_POOL = 'default';

/**
 * Writes a check down and rings for it.
 *
 * @param asked.pool whose workers do it; "default" when empty
 * @throws AppError `storage_not_found`, `invalid_argument`
 */
export async function acceptCheck(
  { registry, checks, dispatcher, now }: Dependencies,
  asked: { readonly kind: CheckKind; readonly storageId: string; readonly pool: string },
  { caller, requestId, signal }: CallContext,
): Promise<StorageCheck> {
  const { kind, storageId } = asked;
  const pool = asked.pool || DEFAULT_POOL;
  const validated = validation();
  validated.id('storageId', storageId);
  validated.require(isPool(pool), 'pool', 'must be the name of a pool of workers');
  validated.finish();

  const storage = await registry.storages.get(storageId, signal);
  if (!storage) throw unknownStorage(storageId);
  const _id = randomBytes(16).toString('base64url');
  const { root, maxConcurrent } = storage;
  const snapshot = { id: storageId, root, maxConcurrent, ...locationOf(storage) };
  const check = newCheck({ _id, kind, storageId, storage: snapshot, pool, createdBy: caller, requestId }, now());
  await checks.insert(check, signal);
  checkAccepted(check);
  await dispatcher.ringCheck(_id);
  return check;
}
