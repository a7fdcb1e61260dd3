/** Which backups a list is about, and how the database is asked for a part of them. */
import type { Filter } from 'mongodb';
import type { Backup, BackupState } from './backup.ts';

/** Which backups to list; what is absent does not narrow. */
export interface BackupFilter {
  readonly clusterIds: readonly string[];
  readonly id?: string;
  readonly startedAtOrAfter?: Date;
  readonly endedAtOrBefore?: Date;
  readonly states: readonly BackupState[];
  readonly mode?: Backup['mode'];
  readonly origin?: Backup['origin'];
  readonly rule?: string;
  readonly includeDeleted: boolean;
}

/** Backups that were started from one instant on until before another, in milliseconds. */
export interface Span {
  readonly from: number;
  readonly until: number;
  /** Whether they are looked for by that, and not by what else narrows. */
  readonly byTime: boolean;
}

/** Backups that were started at one instant and have a smaller id. */
export interface Twins {
  readonly at: number;
  readonly below: string;
}

/** Of fewer clusters than these all backups are looked through at once. */
const FEW_CLUSTERS = 20;
const FIRST = 1;
const FAR = Date.parse('9999-01-01T00:00:00Z');
/** What most backups become. */
const USUAL: BackupState = 'Succeeded';

/** When all backups of a selection were started; no backup is from before or after what this can be. */
export function spanOf({ startedAtOrAfter, endedAtOrBefore }: BackupFilter): Span {
  const inReach = (time: number) => Math.min(Math.max(time, FIRST), FAR);
  return {
    from: inReach(startedAtOrAfter ? +startedAtOrAfter : FIRST),
    // None ends before it starts.
    until: inReach(endedAtOrBefore ? +endedAtOrBefore + 1 : FAR),
    byTime: false,
  };
}

/** Whether an index leads to what are usually few backups, whenever they were started. */
export function isNarrow({ clusterIds, id, states }: BackupFilter): boolean {
  return id !== undefined || isOfFewClusters(clusterIds) || isUnusual(states);
}

const isOfFewClusters = (clusterIds: readonly string[]) => clusterIds.length > 0 && clusterIds.length <= FEW_CLUSTERS;
const isUnusual = (states: readonly BackupState[]) => states.length > 0 && !states.includes(USUAL);

/** The part of a selection that was started then. Some servers use the index of the first condition that has one. */
export function toQuery(filter: BackupFilter, part: Span | Twins): Filter<Backup> {
  const { clusterIds, id, endedAtOrBefore, states, mode, origin, rule, includeDeleted } = filter;
  const ofClusters = clusterIds.length > 0 && { clusterId: oneOf(clusterIds) };
  const inStates = states.length > 0 && { state: oneOf(states) };
  const narrow: Filter<Backup> = {
    ...(id !== undefined && { _id: id }),
    ...(isOfFewClusters(clusterIds) && ofClusters),
    ...(isUnusual(states) && inStates),
  };
  const time = startedThen(part);
  return {
    ...('at' in part || part.byTime ? { ...time, ...narrow } : { ...narrow, ...(isBounded(part) && time) }),
    ...('at' in part && { _id: { $lt: part.below, ...(id !== undefined && { $eq: id }) } }),
    ...ofClusters,
    ...inStates,
    ...(mode && { mode }),
    ...(origin && { origin }),
    ...(rule !== undefined && { rule }),
    // Whatever has not ended was started by then; an `$or` would keep some servers from using any index.
    ...(endedAtOrBefore && { endTime: { $not: { $gt: endedAtOrBefore } } }),
    // Not by the state of the deletion: of an index of that, which nearly all share, some servers read all.
    ...(!includeDeleted && { deleteTime: null }),
  };
}

function startedThen(part: Span | Twins): Filter<Backup> {
  if ('at' in part) return { startTime: new Date(part.at) };
  // The millisecond before, excluded: some servers take what equals the bound of a part of an index for beyond it.
  return { startTime: { $gt: new Date(part.from - 1), $lt: new Date(part.until) } };
}

/** Some servers look a single value up with an index, and several without. */
function oneOf<T>(values: readonly T[]): T | { $in: T[] } {
  const [value] = values;
  return values.length === 1 && value !== undefined ? value : { $in: [...values] };
}

const isBounded = ({ from, until }: Span) => from > FIRST || until < FAR;
