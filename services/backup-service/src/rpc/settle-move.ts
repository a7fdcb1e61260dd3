import { invalidArgument } from '@tidemark/errors/app-error';
import {
  type SettleMoveRequest,
  type SettleMoveResponse,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { isHeldBy } from '@tidemark/task/task';
import type { StorageLocation } from '../backup.ts';
import { storageMoved } from '../events.ts';
import { isMarkerNumber } from '../marker-store.ts';
import type { MovedPlace, StorageCheck } from '../storage-check.ts';
import { isSamePlace, locationOf, placeOf, titleOf } from '../storage-location.ts';
import { validation } from '../validate.ts';
import { requireCheck } from './check-ref.ts';
import type { Dependencies } from './context.ts';

/** What was found of a place at the one where the storage is now. */
interface Found {
  readonly number: string;
  /** Those of its good backups. */
  readonly good: readonly string[];
}

/** Judges what a worker found of an older place, and takes down that it was moved where that is proven (N4). */
export function settleMove(dependencies: Dependencies) {
  const { checks, markers } = dependencies;
  return async (request: SettleMoveRequest, { signal }: CallContext): Promise<SettleMoveResponse> => {
    const { id, ...held } = requireCheck(request.check);
    const { number } = request;
    const validated = validation();
    validated.require(number === '' || isMarkerNumber(number), 'number', 'must be 32 hexadecimal digits, or empty');
    validated.finish();
    const check = await checks.get(id, signal);
    if (!check || !isHeldBy(check, held))
      return { standing: TaskStanding.TASK_STANDING_LOST, proven: false, message: '', number: '' };
    const from = check.moved?.places.find(({ place }) => place === request.place);
    if (!from) throw invalidArgument([{ field: 'place', description: 'must be one that the check is about' }]);
    const found = { number, good: from.good.filter((path) => request.backups.includes(path)) };
    const refusal = isProof(from, found)
      ? await takeDown(dependencies, check, from, found, signal)
      : refusalOf(check, from, found);
    const here = { storageId: check.storageId, place: placeOf(check.storage, from.root) };
    return {
      standing: TaskStanding.TASK_STANDING_HELD,
      proven: refusal === undefined,
      message: refusal ?? isHere(from, found),
      number: await markers.numberAt(here, signal),
    };
  };
}

const byMarker = (from: MovedPlace, { number }: Found) => number !== '' && number === from.number;

/**
 * A path is given once: a good backup that is there was moved or copied, whatever marker lies beside it. As long as one is
 * missing the copy is under way. The marker, which is small and may come first, proves it only of a place without any.
 */
const isProof = (from: MovedPlace, found: Found) =>
  from.good.length > 0 ? found.good.length === from.good.length : byMarker(from, found);

/**
 * Takes the move down; answers why that cannot be done, in a sentence. What this check has taken down before stands, whatever
 * came since: the answer may have been lost, and other workers of the check find the same.
 */
async function takeDown(
  dependencies: Dependencies,
  check: StorageCheck,
  from: MovedPlace,
  { number }: Found,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { markers, dispatcher } = dependencies;
  const { storageId } = check;
  const whole = check.part?.of ?? check._id;
  const moves = (await markers.moves(storageId, signal)).get(from.place) ?? [];
  const before = moves.find((move) => move.check === whole);
  const moved = before ? { storage: before.storage } : await move(dependencies, check, from, signal);
  if ('refusal' in moved) return moved.refusal;
  const place = placeOf(moved.storage, from.root);
  if (number !== '' && (number === from.number || from.instead === ''))
    await markers.settle({ storageId, place }, number, from.instead, signal);
  await dispatcher.retryIn(storageId);
  return undefined;
}

/** Where the storage is now, or why the move is not taken down. */
async function move(
  { markers, registry, places }: Dependencies,
  check: StorageCheck,
  from: MovedPlace,
  signal: AbortSignal,
): Promise<{ readonly storage: StorageLocation } | { readonly refusal: string }> {
  const { storageId } = check;
  const at = { storageId, place: from.place };
  const registered = await registry.storages.get(storageId, signal);
  if (!registered || !isSamePlace(registered, check.storage))
    return { refusal: `Storage ${storageId} was registered elsewhere while it was checked: check again.` };
  const busy = await places.findBusy(at, signal);
  const here = titleOf(from.location);
  if (busy !== undefined)
    return {
      refusal: `A worker is at backup ${busy} in ${here}: wait for its end or cancel it, and check again.`,
    };
  const storage = locationOf(registered);
  const wish = { storage, check: check.part?.of ?? check._id };
  const taken = await markers.move(at, wish, from.moves, signal);
  if (!isSamePlace(taken.move.storage, storage))
    return {
      refusal: `Somebody else said meanwhile that ${here} was moved to ${titleOf(taken.move.storage)}: check again.`,
    };
  if (taken.isNew) storageMoved(at, placeOf(storage, from.root), from.backups, check);
  return { storage };
}

function isHere(from: MovedPlace, found: Found): string {
  const marker = byMarker(from, found) ? 'its marker has the number that is known from there' : '';
  const good =
    from.good.length > 0 ? `${found.good.length} of the newest ${from.good.length} good backups were found` : '';
  const why = [marker, good].filter((one) => one !== '').join(', and ');
  return `What was in ${titleOf(from.location)} (${from.backups} backups below ${from.root}) is here: ${why}. It is read and removed here from now on.`;
}

/** Why the move is not believed, and what to do, in sentences. */
function refusalOf(check: StorageCheck, from: MovedPlace, found: Found): string {
  if (found.good.length === 0 && !byMarker(from, found)) return nothingShows(check, from, found);
  const missing = from.good.find((path) => !found.good.includes(path));
  return `Not all of it is here yet: ${found.good.length} of the newest ${from.good.length} good backups were found, such as ${missing} is missing; finish the copy and check again. Until then what was in ${titleOf(from.location)} (${from.backups} backups below ${from.root}) stays where it was.`;
}

function nothingShows({ storageId }: StorageCheck, from: MovedPlace, { number }: Found): string {
  const marker = `${from.root}/.tidemark/${storageId}.json`;
  const [newest] = from.good;
  const wanted = [
    ...(from.number !== '' ? [`the marker ${marker} with the number that is known from there`] : []),
    ...(newest !== undefined ? [`the newest ${from.good.length} good backups, such as ${newest}`] : []),
  ];
  const other = number === '' ? 'no marker' : 'a marker with another number';
  const found = [...(from.number !== '' ? [other] : []), ...(newest !== undefined ? ['none of these backups'] : [])];
  const looked =
    wanted.length > 0
      ? `Looked for: ${wanted.join(', and ')}. Found: ${found.join(', and ')}. Copy the files to where the storage is now, each under the path that it had, with the marker; or correct the registration. Then check again.`
      : 'No marker is known from there and no good backup is on record, so that nothing could show it. Delete what is there with the registration that it had, or forget it.';
  return `Nothing shows that what was in ${titleOf(from.location)} (${from.backups} backups below ${from.root}) is here; it stays where it was. ${looked}`;
}
