import { invalidArgument } from '@tidemark/errors/app-error';
import { MAX_GOOD_PATHS } from '@tidemark/limits/limits';
import {
  type SettleMarkerRequest,
  type SettleMarkerResponse,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { isHeldBy } from '@tidemark/task/task';
import { rootOf } from '../backup-path.ts';
import { markerSettled } from '../events.ts';
import { isMarkerNumber, type MarkedPlace } from '../marker-store.ts';
import { placeOf } from '../storage-location.ts';
import { validation } from '../validate.ts';
import { requireCheck } from './check-ref.ts';
import type { Dependencies } from './context.ts';
import { requireTask } from './task-ref.ts';

interface Holder {
  readonly at: MarkedPlace;
  /** The number that an admin has replaced; empty where none may be. */
  readonly instead: string;
  /** For the log. */
  readonly by: string;
}

/** Takes down which marker lies in the storage of a task or a probe, and returns by which the storage is known. */
export function settleMarker(dependencies: Dependencies) {
  const { markers, places } = dependencies;
  return async (request: SettleMarkerRequest, { signal }: CallContext): Promise<SettleMarkerResponse> => {
    const { number } = request;
    const check = validation();
    check.require(number === '' || isMarkerNumber(number), 'number', 'must be 32 hexadecimal digits, or empty');
    check.finish();
    const holder = await findHolder(dependencies, request, signal);
    if (!holder) return { standing: TaskStanding.TASK_STANDING_LOST, number: '', candidate: '', backups: [] };
    const { at, instead, by } = holder;
    const before = await markers.open(at, signal);
    const standing = TaskStanding.TASK_STANDING_HELD;
    if (number === '') return { standing, ...before, backups: await places.goodPaths(at, MAX_GOOD_PATHS, signal) };
    const counts = await markers.settle(at, number, instead, signal);
    if (counts !== before.number) markerSettled(at, counts, by);
    return { standing, number: counts, candidate: counts, backups: [] };
  };
}

/** What the holder of a task or a check works on; undefined when it was lost. */
async function findHolder(
  { store, checks, places }: Dependencies,
  { holder }: SettleMarkerRequest,
  signal: AbortSignal,
): Promise<Holder | undefined> {
  switch (holder?.$case) {
    case 'task': {
      const { id, ...held } = requireTask(holder.value);
      const backup = await store.get(id, signal);
      if (!backup || !isHeldBy(backup, held)) return undefined;
      const { id: storageId, ...granted } = await places.granted(backup, signal);
      return {
        at: { storageId, place: placeOf(granted, rootOf(backup.basePath)) },
        instead: '',
        by: `backup ${id}`,
      };
    }
    case 'check': {
      const { id, ...held } = requireCheck(holder.value);
      const check = await checks.get(id, signal);
      if (!check || !isHeldBy(check, held)) return undefined;
      const { storage, storageId, adopt } = check;
      return {
        at: { storageId, place: placeOf(storage, storage.root) },
        instead: adopt?.instead ?? '',
        by: `check ${id}`,
      };
    }
    default:
      throw invalidArgument([{ field: 'holder', description: 'must be set' }]);
  }
}
