/** Which clusters of the fleet a list or a stream is about, and whether these are still the same. Pure. */
import { clusterMatcher } from '@tidemark/service-kit/label-selector';
import type { FleetCluster } from './fleet.ts';

export interface FleetScope {
  /** Empty means all. */
  readonly clusterIds: readonly string[];
  /** The clusters are what the caller sees, and were not asked for. */
  readonly withinSight?: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** In the id or the name, whatever the case; empty means any. */
  readonly text: string;
}

export type Matches = (id: string, cluster: Pick<FleetCluster, 'labels' | 'name'>) => boolean;

export function matcherOf({ clusterIds, labels, text }: FleetScope): Matches {
  const wanted = new Set(clusterIds);
  const matches = clusterMatcher(labels, text);
  return (id, { name, labels: own }) => (wanted.size === 0 || wanted.has(id)) && matches({ id, name, labels: own });
}

/** What narrows it, in an order of its own: the clusters that were asked for, and whatever the caller sees otherwise. */
export function filtersOf({ clusterIds, withinSight, labels, text }: FleetScope): readonly unknown[] {
  return [withinSight ? [] : [...clusterIds].sort(), Object.entries(labels).sort(), text];
}

/** Tells one set of clusters from another, by how many they are and when they were registered: one that is registered anew is another. */
export interface Members {
  readonly count: number;
  readonly times: number;
}

export const NO_MEMBERS: Members = { count: 0, times: 0 };
/** So that the sum over all clusters stays exact. */
const TIME_RANGE = 1e9;

export function withMember({ count, times }: Members, { registeredAt }: Pick<FleetCluster, 'registeredAt'>): Members {
  return { count: count + 1, times: times + (registeredAt.getTime() % TIME_RANGE) };
}

export function withoutMember(
  { count, times }: Members,
  { registeredAt }: Pick<FleetCluster, 'registeredAt'>,
): Members {
  return { count: count - 1, times: times - (registeredAt.getTime() % TIME_RANGE) };
}
