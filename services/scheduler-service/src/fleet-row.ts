/** What is told of a cluster of the fleet. Pure. */
import type { ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  FleetCount,
  type FleetLog,
  FleetLogCount,
  FleetLogVerdict,
  FleetRow,
  FleetVerdict,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { isWanted, type LogVerdict, logVerdictOf, newestPoint, toldOfLog, worstAlarm } from './cluster-log.ts';
import { expectedIntervalMs, type FleetCluster } from './fleet.ts';
import type { Verdict } from './fleet-verdict.ts';

export const VERDICT_MESSAGES = {
  never: FleetVerdict.FLEET_VERDICT_NEVER,
  veryLate: FleetVerdict.FLEET_VERDICT_VERY_LATE,
  late: FleetVerdict.FLEET_VERDICT_LATE,
  noPlan: FleetVerdict.FLEET_VERDICT_NO_PLAN,
  inTime: FleetVerdict.FLEET_VERDICT_IN_TIME,
} as const satisfies Record<Verdict, FleetVerdict>;

export const LOG_VERDICT_MESSAGES = {
  critical: FleetLogVerdict.FLEET_LOG_VERDICT_CRITICAL,
  warning: FleetLogVerdict.FLEET_LOG_VERDICT_WARNING,
  waiting: FleetLogVerdict.FLEET_LOG_VERDICT_WAITING,
  healthy: FleetLogVerdict.FLEET_LOG_VERDICT_HEALTHY,
  off: FleetLogVerdict.FLEET_LOG_VERDICT_OFF,
} as const satisfies Record<LogVerdict, FleetLogVerdict>;

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
    log: toLogMessage(cluster),
    newestPointTime: newestPoint(newest?.recoveryPointAt, cluster.log),
  });
}

function toLogMessage({ log }: FleetCluster): FleetLog | undefined {
  const alarm = log && worstAlarm(log);
  if (!log || !(isWanted(log) || alarm)) return undefined;
  return { verdict: LOG_VERDICT_MESSAGES[logVerdictOf(log)], wanted: log.wanted, state: log.state, alarm };
}

export function toCounts(counts: ReadonlyMap<Verdict, number>): FleetCount[] {
  return [...counts].map(([verdict, count]) => FleetCount.create({ verdict: VERDICT_MESSAGES[verdict], count }));
}

export function toLogCounts(counts: ReadonlyMap<LogVerdict, number>): FleetLogCount[] {
  return [...counts].map(([verdict, count]) => FleetLogCount.create({ verdict: LOG_VERDICT_MESSAGES[verdict], count }));
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
    toldOfLog(cluster.log, newest?.recoveryPointAt),
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
