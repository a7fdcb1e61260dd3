import { AppError, invalidArgument, isOutage } from '@tidemark/errors/app-error';
import { DEFAULT_FLEET_PAGE } from '@tidemark/limits/limits';
import type { ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  FleetRow,
  type ListFleetRequest,
  type ListFleetResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { isAbort, withTimeout } from '@tidemark/service-kit/abort';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import type { Activities } from '../activities.ts';
import { LOG_VERDICTS } from '../cluster-log.ts';
import type { Fleet } from '../fleet.ts';
import { toCursor } from '../fleet-cursor.ts';
import { digestOf, type FleetOrder, fleetPage, fromToken, orderOf, toToken } from '../fleet-page.ts';
import { LOG_VERDICT_MESSAGES, toCounts, toLogCounts, toRow, VERDICT_MESSAGES } from '../fleet-row.ts';
import { VERDICTS } from '../fleet-verdict.ts';
import type { Dependencies } from './context.ts';

export interface ListFleetDependencies extends Pick<Dependencies, 'now'> {
  readonly fleet: Pick<Fleet, 'clusters' | 'version' | 'asOf'>;
  readonly activities: Activities;
  /** How long an answer waits for what runs. */
  readonly patienceMs?: number;
}

/** The gateway waits for 1.4 s, and who asks whether all are safe is not to wait in vain for what runs. */
const PATIENCE_MS = 800;

/**
 * A page of the fleet, from what this copy knows of it. What runs is asked of backup-service, and left out where that is late.
 *
 * @throws AppError `unavailable` until this copy has taken the fleet in
 */
export function listFleet({ fleet, activities, now, patienceMs = PATIENCE_MS }: ListFleetDependencies) {
  let ordered: { readonly version: number; readonly order: FleetOrder } | undefined;

  function currentOrder(at: Date): FleetOrder {
    const { version, clusters } = fleet;
    if (ordered?.version !== version || at.getTime() > ordered.order.until)
      ordered = { version, order: orderOf(clusters, at) };
    return ordered.order;
  }

  /** Undefined where it is not known in time. */
  async function activitiesOf(
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<Map<string, ClusterActivity> | undefined> {
    const patience = withTimeout(patienceMs, signal);
    try {
      return await activities.of(ids, patience);
    } catch (error) {
      if (signal.aborted || !(isOutage(error) || isAbort(error, patience))) throw error;
      return undefined;
    }
  }

  return async (request: ListFleetRequest, { signal }: CallContext): Promise<ListFleetResponse> => {
    const { clusterIds, withinSight, labels, text, pageSize, pageToken } = request;
    const verdicts = VERDICTS.filter((verdict) => request.verdicts.includes(VERDICT_MESSAGES[verdict]));
    const logs = LOG_VERDICTS.filter((verdict) => request.logs.includes(LOG_VERDICT_MESSAGES[verdict]));
    const filter = { clusterIds, withinSight, labels, verdicts, logs, text };
    const digest = digestOf(filter);
    const behind = pageToken === '' ? undefined : fromToken(pageToken, digest);
    if (pageToken !== '' && !behind)
      throw invalidArgument([
        { field: 'pageToken', description: 'must be the nextPageToken of an answer with the same filters, or empty' },
      ]);
    const { clusters, asOf } = fleet;
    if (!asOf) throw new AppError('unavailable', 'The fleet is being taken in; ask again in a moment.');
    const { places, counts, logCounts, members, more } = fleetPage(currentOrder(now()), clusters, filter, {
      behind,
      size: pageSize || DEFAULT_FLEET_PAGE,
    });
    const ids = places.map(({ id }) => id);
    const byCluster = await activitiesOf(ids, signal);
    const all = places.flatMap((place) => {
      const cluster = clusters.get(place.id);
      return cluster ? [toRow(place, cluster, byCluster?.get(place.id))] : [];
    });
    const rows = fitting(all, FleetRow);
    const last = places[rows.length - 1];
    return {
      rows,
      counts: toCounts(counts),
      logCounts: toLogCounts(logCounts),
      nextPageToken: last && (more || rows.length < all.length) ? toToken(last, digest) : '',
      asOf,
      cursor: toCursor({ at: asOf, members }, { clusterIds, withinSight, labels, text }),
      withoutActivity: byCluster === undefined,
    };
  };
}
