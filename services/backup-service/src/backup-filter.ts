/** Which backups a list is about, and how the database is asked for a part of them. */
import type { TokenScope } from '@tidemark/mongo/page-token';
import { FIRST_INSTANT, LAST_INSTANT, type Selection, toParts } from '@tidemark/mongo/selection';
import type { Backup, BackupState } from './backup.ts';

/** Which backups to list; what is absent does not narrow. */
export interface BackupFilter {
  readonly clusterIds: readonly string[];
  /** The clusters are what the caller sees, and were not asked for. */
  readonly withinSight?: boolean;
  readonly id?: string;
  readonly startedAtOrAfter?: Date;
  readonly endedAtOrBefore?: Date;
  readonly states: readonly BackupState[];
  readonly mode?: Backup['mode'];
  readonly origin?: Backup['origin'];
  readonly rule?: string;
  readonly includeDeleted: boolean;
  /** Only those that were found damaged. */
  readonly damaged?: boolean;
}

const FOUND_DAMAGED = { 'verification.counts.state': 'Damaged' } as const;
/** What most backups become. */
const USUAL: BackupState = 'Succeeded';

export function toSelection(filter: BackupFilter): Selection {
  const { clusterIds, startedAtOrAfter, endedAtOrBefore, states, mode, origin, rule, includeDeleted, damaged } = filter;
  const { rest, ...parts } = toFilterParts(filter);
  const inReach = (time: number) => Math.min(Math.max(time, FIRST_INSTANT), LAST_INSTANT);
  const selection = {
    from: inReach(startedAtOrAfter ? +startedAtOrAfter : FIRST_INSTANT),
    // None ends before it starts.
    until: inReach(endedAtOrBefore ? +endedAtOrBefore + 1 : LAST_INSTANT),
    ...parts,
    rest: {
      ...rest,
      ...(states.length > 0 && { state: oneOf(states) }),
      ...(mode && { mode }),
      ...(origin && { origin }),
      ...(rule !== undefined && { rule }),
      ...(damaged && FOUND_DAMAGED),
      // Whatever has not ended was started by then; an `$or` would keep some servers from using any index.
      ...(endedAtOrBefore && { endTime: { $not: { $gt: endedAtOrBefore } } }),
      // Not by the state of the deletion: of an index of that, which nearly all share, some servers read all.
      ...(!includeDeleted && { deleteTime: null }),
    },
    isCountedWhole: clusterIds.length === 1,
  };
  const isByState = parts.parts.some((part) => 'state' in part);
  return isByState ? { ...selection, byTime: { ...selection, parts: [{}] } } : selection;
}

function toFilterParts({ clusterIds, id, states, damaged }: BackupFilter): ReturnType<typeof toParts> {
  if (id !== undefined)
    return { parts: [{ _id: id }], rest: clusterIds.length > 0 ? { clusterId: oneOf(clusterIds) } : {} };
  const ofClusters = toParts('clusterId', clusterIds);
  const isByCluster = ofClusters.parts.some((part) => 'clusterId' in part);
  if (damaged && !isByCluster) return { ...ofClusters, parts: [FOUND_DAMAGED] };
  const isUnusual = states.length > 0 && !states.includes(USUAL);
  return isByCluster || !isUnusual ? ofClusters : { ...ofClusters, parts: toParts('state', states).parts };
}

/** For what a page token is: for the clusters that were asked for, and whatever the caller sees otherwise. */
export function toTokenScope(filter: BackupFilter): TokenScope {
  const { clusterIds, withinSight, startedAtOrAfter, endedAtOrBefore, states, mode, origin, rule } = filter;
  return {
    list: 'b1',
    filters: [
      ...[withinSight ? [] : [...new Set(clusterIds)].sort(), filter.id ?? null],
      ...[startedAtOrAfter ?? null, endedAtOrBefore ?? null],
      ...[[...states].sort(), mode ?? null, origin ?? null, rule ?? null, filter.includeDeleted],
      ...(filter.damaged ? ['damaged'] : []),
    ],
  };
}

/** Some servers look a single value up with an index, and several without. */
function oneOf<T>(values: readonly T[]): T | { $in: T[] } {
  const [value] = values;
  return values.length === 1 && value !== undefined ? value : { $in: [...values] };
}
