import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_FLEET_PAGE } from '@tidemark/limits/limits';
import type { ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  FleetRow,
  FleetVerdict,
  type ListFleetRequest,
  type ListFleetResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { expectedIntervalMs, type Fleet, type FleetCluster } from '../fleet.ts';
import { digestOf, type FleetPlace, fleetPage, fromToken, toToken } from '../fleet-page.ts';
import { VERDICTS, type Verdict } from '../fleet-verdict.ts';
import type { Dependencies } from './context.ts';

const VERDICT_MESSAGES = {
  never: FleetVerdict.FLEET_VERDICT_NEVER,
  veryLate: FleetVerdict.FLEET_VERDICT_VERY_LATE,
  late: FleetVerdict.FLEET_VERDICT_LATE,
  noPlan: FleetVerdict.FLEET_VERDICT_NO_PLAN,
  inTime: FleetVerdict.FLEET_VERDICT_IN_TIME,
} as const satisfies Record<Verdict, FleetVerdict>;

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
    const { places, counts, more } = fleetPage(clusters, filter, {
      behind,
      size: pageSize || DEFAULT_FLEET_PAGE,
      now: now(),
    });
    const ids = places.map(({ id }) => id);
    const { clusters: activities } = await backends.backups.listActivity(
      { clusterIds: ids },
      { signal, requestId, caller },
    );
    const byCluster = new Map(activities.map((one) => [one.clusterId, one]));
    const all = places.flatMap((place) => {
      const cluster = clusters.get(place.id);
      return cluster ? [toRow(place, cluster, byCluster.get(place.id))] : [];
    });
    const rows = fitting(all, FleetRow);
    const last = places[rows.length - 1];
    return {
      rows,
      counts: [...counts].map(([verdict, count]) => ({ verdict: VERDICT_MESSAGES[verdict], count })),
      nextPageToken: last && (more || rows.length < all.length) ? toToken(last, digest) : '',
      asOf,
    };
  };
}

function toRow({ id, verdict }: FleetPlace, cluster: FleetCluster, activity: ClusterActivity | undefined): FleetRow {
  const { name, labels, registeredAt, newest, rules } = cluster;
  const starts = rules
    .map(({ nextWindow }) => nextWindow?.startAt ?? nextWindow?.opensAt)
    .filter((at) => at !== undefined);
  return FleetRow.create({
    clusterId: id,
    name,
    labels: { ...labels },
    verdict: VERDICT_MESSAGES[verdict],
    registerTime: registeredAt,
    goodEndTime: newest?.endedAt,
    recoveryPointTime: newest?.recoveryPointAt,
    verifiedPointTime: newest?.verifiedPointAt,
    intervalSeconds: (expectedIntervalMs(cluster) ?? 0) / 1_000,
    ...(starts.length > 0 && { nextStartTime: new Date(Math.min(...starts.map((at) => at.getTime()))) }),
    active: activity?.active,
    last: activity?.last,
  });
}
