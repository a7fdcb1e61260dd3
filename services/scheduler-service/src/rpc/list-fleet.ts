import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_FLEET_PAGE } from '@tidemark/limits/limits';
import {
  FleetRow,
  type ListFleetRequest,
  type ListFleetResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { activityOf } from '../activity.ts';
import type { Fleet } from '../fleet.ts';
import { toCursor } from '../fleet-cursor.ts';
import { digestOf, fleetPage, fromToken, toToken } from '../fleet-page.ts';
import { toCounts, toRow, VERDICT_MESSAGES } from '../fleet-row.ts';
import { VERDICTS } from '../fleet-verdict.ts';
import type { Dependencies } from './context.ts';

export interface ListFleetDependencies extends Dependencies {
  readonly fleet: Pick<Fleet, 'clusters' | 'asOf'>;
}

/**
 * A page of the fleet, from what this copy knows of it; what runs is asked of backup-service for the clusters of the page alone.
 *
 * @throws AppError `unavailable` until this copy has taken the fleet in
 */
export function listFleet({ fleet, backends, now }: ListFleetDependencies) {
  return async (request: ListFleetRequest, { signal, requestId, caller }: CallContext): Promise<ListFleetResponse> => {
    const { clusterIds, withinSight, labels, text, pageSize, pageToken } = request;
    const verdicts = VERDICTS.filter((verdict) => request.verdicts.includes(VERDICT_MESSAGES[verdict]));
    const filter = { clusterIds, withinSight, labels, verdicts, text };
    const digest = digestOf(filter);
    const behind = pageToken === '' ? undefined : fromToken(pageToken, digest);
    if (pageToken !== '' && !behind)
      throw invalidArgument([
        { field: 'pageToken', description: 'must be the nextPageToken of an answer with the same filters, or empty' },
      ]);
    const { clusters, asOf } = fleet;
    if (!asOf) throw new AppError('unavailable', 'The fleet is being taken in; ask again in a moment.');
    const { places, counts, members, more } = fleetPage(clusters, filter, {
      behind,
      size: pageSize || DEFAULT_FLEET_PAGE,
      now: now(),
    });
    const ids = places.map(({ id }) => id);
    const byCluster = await activityOf(backends, ids, { signal, requestId, caller });
    const all = places.flatMap((place) => {
      const cluster = clusters.get(place.id);
      return cluster ? [toRow(place, cluster, byCluster.get(place.id))] : [];
    });
    const rows = fitting(all, FleetRow);
    const last = places[rows.length - 1];
    return {
      rows,
      counts: toCounts(counts),
      nextPageToken: last && (more || rows.length < all.length) ? toToken(last, digest) : '',
      asOf,
      cursor: toCursor({ at: asOf, members }, { clusterIds, withinSight, labels, text }),
    };
  };
}
