/** What is told of a cluster of the fleet. Pure. */
import type { ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { FleetCount, FleetRow, FleetVerdict } from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { expectedIntervalMs, type FleetCluster } from './fleet.ts';
import type { Verdict } from './fleet-verdict.ts';

export const VERDICT_MESSAGES = {
  never: FleetVerdict.FLEET_VERDICT_NEVER,
  veryLate: FleetVerdict.FLEET_VERDICT_VERY_LATE,
  late: FleetVerdict.FLEET_VERDICT_LATE,
  noPlan: FleetVerdict.FLEET_VERDICT_NO_PLAN,
  inTime: FleetVerdict.FLEET_VERDICT_IN_TIME,
} as const satisfies Record<Verdict, FleetVerdict>;

export function toRow(
  { id, verdict }: { readonly id: string; readonly verdict: Verdict },
  cluster: FleetCluster,
  activity: ClusterActivity | undefined,
): FleetRow {
  const { name, labels, registeredAt, newest, rules, proof } = cluster;
  return FleetRow.create({
    clusterId: id,
    name,
    labels: { ...labels },
    verdict: VERDICT_MESSAGES[verdict],
    registerTime: registeredAt,
    goodEndTime: newest?.endedAt,
    recoveryPointTime: newest?.recoveryPointAt,
    verifiedPointTime: newest?.verifiedPointAt,
    provenTime: proof?.time,
    provenSeconds: proof?.seconds ?? 0,
    intervalSeconds: (expectedIntervalMs(cluster) ?? 0) / 1_000,
    nextStartTime: nextStartOf(rules),
    active: activity?.active,
    last: activity?.last,
  });
}

export function toCounts(counts: ReadonlyMap<Verdict, number>): FleetCount[] {
  return [...counts].map(([verdict, count]) => FleetCount.create({ verdict: VERDICT_MESSAGES[verdict], count }));
}

/** Whether the same is told of two states of a cluster, but for the verdict and what runs. */
export function tellsTheSame(one: FleetCluster, other: FleetCluster): boolean {
  return one === other || toldOf(one) === toldOf(other);
}

function toldOf(cluster: FleetCluster): string {
  const { name, labels, registeredAt, newest, rules } = cluster;
  const told = [name, Object.entries(labels).sort(), registeredAt, newest?.endedAt, newest?.recoveryPointAt];
  return JSON.stringify([
    ...told,
    newest?.verifiedPointAt,
    cluster.proof?.time,
    expectedIntervalMs(cluster),
    nextStartOf(rules),
  ]);
}

function nextStartOf(rules: FleetCluster['rules']): Date | undefined {
  const starts = rules
    .map(({ nextWindow }) => nextWindow?.startAt ?? nextWindow?.opensAt)
    .filter((at) => at !== undefined);
  return starts.length > 0 ? new Date(Math.min(...starts.map((at) => at.getTime()))) : undefined;
}
