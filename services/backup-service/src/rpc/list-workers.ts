import { invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_WORKERS_PAGE } from '@tidemark/limits/limits';
import {
  type ListWorkersRequest,
  type ListWorkersResponse,
  Worker,
  WorkerState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { type Presence, type RunningWork, STALE_MS } from '../presence.ts';
import { fromToken, placeOf, toToken, workersPage } from '../workers-page.ts';
import type { Dependencies } from './context.ts';

/**
 * A page of the workers that reported themselves lately. What they do is named where it is about the clusters that were asked for, and
 * counted otherwise; a restore is about two clusters.
 */
export function listWorkers({ presences, restores, quarantines, now }: Dependencies) {
  const findRestore = (id: string, signal: AbortSignal) =>
    quarantines.listedRestores.attempt(id, () => restores.get(id, signal), signal);
  return async (request: ListWorkersRequest, { signal }: CallContext): Promise<ListWorkersResponse> => {
    const { clusterIds, pool, pageSize, pageToken } = request;
    const behind = pageToken === '' ? undefined : fromToken(pageToken, pool);
    if (pageToken !== '' && !behind)
      throw invalidArgument([
        { field: 'pageToken', description: 'must be the nextPageToken of an answer with the same pool, or empty' },
      ]);
    const isAsked = (clusterId: string) => clusterIds.length === 0 || clusterIds.includes(clusterId);
    const { page, total, more } = workersPage(await presences.recent(signal), {
      pool,
      behind,
      size: pageSize || DEFAULT_WORKERS_PAGE,
    });
    const sources = new Map<string, string | undefined>();
    if (clusterIds.length > 0)
      for (const { kind, id, clusterId } of page.flatMap(({ running }) => running))
        if (kind === 'restore' && isAsked(clusterId))
          sources.set(id, (await findRestore(id, signal))?.source.clusterId);

    const isNamed = ({ kind, id, clusterId }: RunningWork) => {
      if (clusterIds.length === 0) return true;
      const source = kind === 'restore' ? sources.get(id) : clusterId;
      return isAsked(clusterId) && source !== undefined && isAsked(source);
    };
    const at = now();
    const shown = readable(
      quarantines.workers,
      page,
      (one) => toMessage(one, at, clusterIds.length === 0, isNamed),
      Worker,
    );
    const workers = fitting(
      shown.map(({ message }) => message),
      Worker,
    );
    const isCut = workers.length < shown.length;
    const last = isCut ? shown[workers.length - 1]?.record : page.at(-1);
    return { workers, total, nextPageToken: last && (more || isCut) ? toToken(placeOf(last), pool) : '' };
  };
}

function toMessage(
  presence: Presence,
  now: Date,
  isAboutAll: boolean,
  isNamed: (work: RunningWork) => boolean,
): Worker {
  const { _id, worker, host = '', pool, draining, slots, freeSlots, brVersions, running, outOfReach } = presence;
  const { firstSeenAt, seenAt } = presence;
  const named = running.filter(isNamed);
  const isGone = now.getTime() - seenAt.getTime() > STALE_MS;
  return {
    id: _id,
    name: worker,
    host,
    pool,
    state: isGone
      ? WorkerState.WORKER_STATE_GONE
      : draining
        ? WorkerState.WORKER_STATE_DRAINING
        : WorkerState.WORKER_STATE_PRESENT,
    slots,
    freeSlots,
    brVersions: [...brVersions],
    tasks: named.map(({ kind, id, clusterId, since }) => ({ kind, id, clusterId, startTime: since })),
    otherTasks: running.length - named.length,
    outOfReach: isAboutAll
      ? outOfReach.map(({ storageId, reason, passing, since }) => ({
          storageId,
          code: reason.code,
          message: reason.message,
          passing,
          startTime: since,
        }))
      : [],
    otherOutOfReach: isAboutAll ? 0 : outOfReach.length,
    firstSeenTime: firstSeenAt,
    lastSeenTime: seenAt,
  };
}
