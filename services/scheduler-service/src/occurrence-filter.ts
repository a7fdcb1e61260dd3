/** Which windows a list is about, and how the database is asked for a part of them. */
import type { TokenScope } from '@tidemark/mongo/page-token';
import { FIRST_INSTANT, LAST_INSTANT, type Selection, toParts } from '@tidemark/mongo/selection';
import type { OccurrenceState } from './catch-up.ts';

/** Which windows to list; what is absent does not narrow. */
export interface OccurrenceFilter {
  readonly clusterIds: readonly string[];
  /** The clusters are what the caller sees, and were not asked for. */
  readonly withinSight?: boolean;
  readonly states: readonly OccurrenceState[];
  readonly rule?: string;
}

export function toSelection({ clusterIds, states, rule }: OccurrenceFilter): Selection {
  const { rest, ...ofClusters } = toParts('clusterId', clusterIds);
  return {
    from: FIRST_INSTANT,
    until: LAST_INSTANT,
    ...ofClusters,
    rest: { ...rest, ...(states.length > 0 && { state: { $in: [...states] } }), ...(rule !== undefined && { rule }) },
    isCountedWhole: clusterIds.length === 1,
  };
}

/** For what a page token is: for the clusters that were asked for, and whatever the caller sees otherwise. */
export function toTokenScope({ clusterIds, withinSight, states, rule }: OccurrenceFilter): TokenScope {
  const clusters = withinSight ? [] : [...new Set(clusterIds)].sort();
  return { list: 'o1', filters: [clusters, [...states].sort(), rule ?? null] };
}
