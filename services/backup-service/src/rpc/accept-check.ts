import { randomBytes } from 'node:crypto';
import { MAX_CHECK_PARTS, MAX_CHECK_PLACES } from '@tidemark/limits/limits';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { checkAccepted } from '../events.ts';
import { type CheckKind, type MovedPlace, newCheck, type StorageCheck } from '../storage-check.ts';
import { locationOf, placeOf } from '../storage-location.ts';
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
  dependencies: Dependencies,
  asked: {
    readonly kind: CheckKind;
    readonly storageId: string;
    readonly pool: string;
    readonly adopt?: boolean;
    readonly moved?: boolean;
  },
  { caller, requestId, signal }: CallContext,
): Promise<StorageCheck> {
  const { registry, checks, markers, presences, dispatcher, now } = dependencies;
  const { kind, storageId } = asked;
  const pool = asked.pool || DEFAULT_POOL;
  const validated = validation();
  validated.require(isPool(pool), 'pool', 'must be the name of a pool of workers');
  validated.require(
    !(asked.adopt && asked.moved),
    'moved',
    'must not be sent together with adopt: what is there is either adopted, or moved from elsewhere',
  );
  validated.finish();

  const storage = await registry.storages.get(storageId, signal);
  if (!storage) throw unknownStorage(storageId);
  const _id = randomBytes(16).toString('base64url');
  const { root, maxConcurrent } = storage;
  const snapshot = { id: storageId, root, maxConcurrent, ...locationOf(storage) };
  const adopt = asked.adopt
    ? { adopt: { instead: await markers.numberAt({ storageId, place: placeOf(storage, root) }, signal) } }
    : {};
  const moved = asked.moved ? { moved: { places: await findMoved(dependencies, snapshot, signal) } } : {};
  const wanted = { kind, storageId, storage: snapshot, pool, ...adopt, ...moved, createdBy: caller, requestId };
  const check = newCheck({ _id, ...wanted }, now());
  const present = kind === 'probe' ? await presences.present(pool, signal) : [];
  const parts = present
    .filter(({ draining }) => !draining)
    .slice(0, MAX_CHECK_PARTS)
    .map(({ _id: instance, worker }, index) =>
      newCheck({ _id: `${_id}-${index + 1}`, ...wanted, part: { of: _id, instance, worker } }, now()),
    );
  // The parts first: once the whole can be found, so can they.
  for (const one of [...parts, check]) await checks.insert(one, signal);
  checkAccepted(check);
  for (const one of [check, ...parts]) await dispatcher.ringCheck(one._id);
  return check;
}

/** What may have been moved: all that is not where the storage is now, and what each of these places is known by. */
async function findMoved(
  { places, markers }: Dependencies,
  { id: storageId, ...registered }: StorageCheck['storage'],
  signal: AbortSignal,
): Promise<MovedPlace[]> {
  const moves = await markers.moves(storageId, signal);
  const older = await places.olderThan(storageId, registered, signal);
  return Promise.all(
    older.slice(0, MAX_CHECK_PLACES).map(async (one) => {
      const here = placeOf(registered, one.root);
      return {
        ...one,
        location: locationOf(one.location),
        number: await markers.numberAt({ storageId, place: one.place }, signal),
        instead: await markers.numberAt({ storageId, place: here }, signal),
        moves: moves.get(one.place)?.length ?? 0,
      };
    }),
  );
}
