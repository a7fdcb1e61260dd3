/**
 * A page of the fleet, the least safe clusters first: by verdict, then by how long the newest good backup has been over, then by id. Pure.
 *
 * A token names where the last row stood, not its number: any copy can go on behind it, and what came or went meanwhile
 * moves nothing. A cluster whose verdict changes between two pages may be seen twice or not at all.
 */
import { createHash } from 'node:crypto';
import type { FleetCluster } from './fleet.ts';
import { type FleetScope, filtersOf, type Members, matcherOf, NO_MEMBERS, withMember } from './fleet-scope.ts';
import { VERDICTS, type Verdict, verdictOf } from './fleet-verdict.ts';

export interface FleetFilter extends FleetScope {
  /** Empty means all. */
  readonly verdicts: readonly Verdict[];
}

export interface FleetPlace {
  readonly id: string;
  readonly verdict: Verdict;
  /** Since when the cluster has been as it is: the end of its newest good backup, else its registration. */
  readonly since: number;
}

export interface FleetPage {
  readonly places: readonly FleetPlace[];
  /** Of all clusters that the filter but its verdicts lets through. */
  readonly counts: ReadonlyMap<Verdict, number>;
  /** Of the same clusters as the counts. */
  readonly members: Members;
  readonly more: boolean;
}

/** The first places of those behind one, or of all. */
export function fleetPage(
  clusters: ReadonlyMap<string, FleetCluster>,
  { verdicts, ...scope }: FleetFilter,
  { behind, size, now }: { readonly behind: FleetPlace | undefined; readonly size: number; readonly now: Date },
): FleetPage {
  const matches = matcherOf(scope);
  const counts = new Map<Verdict, number>(VERDICTS.map((verdict) => [verdict, 0]));
  const places: FleetPlace[] = [];
  let members = NO_MEMBERS;
  for (const [id, cluster] of clusters) {
    if (!matches(id, cluster)) continue;
    members = withMember(members, cluster);
    const verdict = verdictOf(cluster, now);
    counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    if (verdicts.length > 0 && !verdicts.includes(verdict)) continue;
    const place = { id, verdict, since: (cluster.newest?.endedAt ?? cluster.registeredAt).getTime() };
    if (!behind || compare(place, behind) > 0) places.push(place);
  }
  places.sort(compare);
  return { places: places.slice(0, size), counts, members, more: places.length > size };
}

function compare(one: FleetPlace, other: FleetPlace): number {
  const byVerdict = VERDICTS.indexOf(one.verdict) - VERDICTS.indexOf(other.verdict);
  if (byVerdict !== 0) return byVerdict;
  if (one.since !== other.since) return one.since - other.since;
  return one.id < other.id ? -1 : Number(one.id > other.id);
}

/** Names the filter, so that a token of another list is not taken. */
export function digestOf({ verdicts, ...scope }: FleetFilter): string {
  const filters = JSON.stringify([...filtersOf(scope), [...verdicts].sort()]);
  return createHash('sha256').update(filters).digest('base64url').slice(0, 8);
}

export function toToken({ id, verdict, since }: FleetPlace, digest: string): string {
  return Buffer.from(JSON.stringify([digest, VERDICTS.indexOf(verdict), since, id])).toString('base64url');
}

/** The place that a token names; undefined where it is none of this list. */
export function fromToken(token: string, digest: string): FleetPlace | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts)) return undefined;
  const [of, rank, since, id] = parts;
  const verdict = VERDICTS[rank];
  if (of !== digest || verdict === undefined || !Number.isSafeInteger(since) || typeof id !== 'string')
    return undefined;
  return { id, verdict, since };
}
