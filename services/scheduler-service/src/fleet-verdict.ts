/** Whether a cluster is safe, by how old its newest good backup is. Pure; the alerts say the same by the same bounds. */
import { expectedIntervalMs, type FleetCluster } from './fleet.ts';

/** From the worst to the best. */
export const VERDICTS = ['never', 'veryLate', 'late', 'noPlan', 'inTime'] as const;
export type Verdict = (typeof VERDICTS)[number];

const HOUR_MS = 3_600_000;
/** A backup takes its time, and starts somewhere in its window. */
const SLACK_MS = 4 * HOUR_MS;

/**
 * `never`: rules plan backups, and there is no good one. `late`: the newest good one is older than 1.25 times the longest time between
 * two windows and four hours; `veryLate`: than twice that time and four hours. `noPlan`: no rule plans any.
 */
export function verdictOf(cluster: FleetCluster, now: Date): Verdict {
  return verdictUntil(cluster, now).verdict;
}

/** The verdict, and until when it holds while nothing but time passes, in milliseconds since 1970. */
export function verdictUntil(cluster: FleetCluster, now: Date): { readonly verdict: Verdict; readonly until: number } {
  const intervalMs = expectedIntervalMs(cluster);
  if (intervalMs === undefined) return { verdict: 'noPlan', until: Number.POSITIVE_INFINITY };
  if (!cluster.newest) return { verdict: 'never', until: Number.POSITIVE_INFINITY };
  const endedAt = cluster.newest.endedAt.getTime();
  const lateAt = endedAt + 1.25 * intervalMs + SLACK_MS;
  const veryLateAt = endedAt + 2 * intervalMs + SLACK_MS;
  if (now.getTime() > veryLateAt) return { verdict: 'veryLate', until: Number.POSITIVE_INFINITY };
  return now.getTime() > lateAt ? { verdict: 'late', until: veryLateAt } : { verdict: 'inTime', until: lateAt };
}
