import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_CURSOR_AGE_MS, MAX_CURSOR_CHANGES, MAX_FLEET_PAGE } from '@tidemark/limits/limits';
import {
  FleetRow,
  type WatchFleetRequest,
  WatchFleetResponse,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { sleep } from '@tidemark/service-kit/backoff';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { inFittingPieces } from '@tidemark/service-kit/grpc/fitting';
import type { Activities } from '../activities.ts';
import { changesAfter } from '../activity.ts';
import { CALLER } from '../due-loop.ts';
import { type Fleet, rulesSince } from '../fleet.ts';
import { type FleetCursor, isSame, readCursor, toCursor } from '../fleet-cursor.ts';
import type { FleetFeed, FleetWatcher } from '../fleet-feed.ts';
import { fleetPage, orderOf } from '../fleet-page.ts';
import { toCounts, toLogCounts, toRow } from '../fleet-row.ts';
import { type FleetScope, type Matches, matcherOf } from '../fleet-scope.ts';
import { verdictOf } from '../fleet-verdict.ts';
import type { Dependencies } from './context.ts';

export interface WatchFleetDependencies extends Dependencies {
  readonly fleet: Pick<Fleet, 'clusters' | 'version' | 'asOf'>;
  readonly feed: FleetFeed;
  readonly activities: Activities;
  /** How often one hears of nothing that nothing changed. */
  readonly heartbeatMs?: number;
}

const HEARTBEAT_MS = 15_000;
/** Clocks of copies may differ, and a write becomes visible after its time. */
const OVERLAP_MS = 10_000;
const LOOK_MS = 250;
/** How long a copy that knows less than a cursor may take to catch up. */
const CATCH_UP_MS = 30_000;
const PAGE = 500;

/**
 * The clusters that a caller may see, or what changed since a cursor, and then each change.
 *
 * @throws AppError `cursor_too_old` where what changed since cannot be told, `unavailable` until this copy knows the fleet
 */
export function watchFleet(dependencies: WatchFleetDependencies) {
  const { fleet, feed, activities, backends, now, heartbeatMs = HEARTBEAT_MS } = dependencies;
  return async function* (request: WatchFleetRequest, { signal }: CallContext): AsyncGenerator<WatchFleetResponse> {
    const { clusterIds, withinSight, labels, text } = request;
    const scope = { clusterIds, withinSight, labels, text };
    const matches = matcherOf(scope);
    const cursor = request.cursor === '' ? undefined : requireCursor(request.cursor, scope, now());
    if (!fleet.asOf) throw new AppError('unavailable', 'The fleet is being taken in; ask again in a moment.');
    if (cursor) await untilTakenIn(fleet, cursor.at, signal);
    using watcher = await feed.watch(matches, signal);
    let at = watcher.asOf;
    const whole = (): Partial<WatchFleetResponse> => ({
      cursor: toCursor({ at, members: watcher.members }, scope),
      counts: toCounts(watcher.counts),
      logCounts: toLogCounts(watcher.logCounts),
      asOf: at,
    });

    if (cursor && !isSame(watcher.members, cursor.members)) throw tooOld('clusters came or went since');
    const ids = cursor
      ? await changedSince(cursor, { watcher, matches, backends }, signal)
      : placesOf(watcher, scope, now());
    if (!cursor) yield WatchFleetResponse.create({ restart: true });
    for (let from = 0; from < ids.length; from += MAX_FLEET_PAGE) {
      const some = ids.slice(from, from + MAX_FLEET_PAGE);
      const ran = await activities.of(some, signal);
      const rows = some.flatMap((id) => {
        const one = watcher.seen.get(id);
        return one ? [toRow({ id, verdict: one.verdict }, one.cluster, ran.get(id))] : [];
      });
      for (const piece of inFittingPieces(rows, FleetRow)) yield WatchFleetResponse.create({ rows: piece });
    }
    yield WatchFleetResponse.create(whole());

    for (;;) {
      await watcher.changed(heartbeatMs, signal);
      const changes = watcher.take(MAX_FLEET_PAGE);
      const goneClusterIds = changes.filter(([, row]) => row === undefined).map(([id]) => id);
      const rows = changes.flatMap(([, row]) => (row ? [row] : []));
      for (const piece of inFittingPieces(rows, FleetRow)) yield WatchFleetResponse.create({ rows: piece });
      if (watcher.waiting > 0) {
        if (goneClusterIds.length > 0) yield WatchFleetResponse.create({ goneClusterIds });
        continue;
      }
      at = watcher.asOf;
      yield WatchFleetResponse.create({ goneClusterIds, ...whole() });
    }
  };
}

function requireCursor(text: string, scope: FleetScope, now: Date): FleetCursor {
  const cursor = readCursor(text, scope);
  if (!cursor || cursor.at.getTime() > now.getTime() + OVERLAP_MS)
    throw invalidArgument([
      {
        field: 'cursor',
        description: 'must be the whole cursor of an answer about the same clusters, labels and text',
      },
    ]);
  if (now.getTime() - cursor.at.getTime() > MAX_CURSOR_AGE_MS) throw tooOld('it is too old');
  return cursor;
}

const tooOld = (why: string) =>
  new AppError('cursor_too_old', `What changed since this cursor cannot be told: ${why}. Watch without one.`);

/** Waits until this copy knows as much as the one that made a cursor. @throws AppError `unavailable` where it does not come to that */
async function untilTakenIn(fleet: WatchFleetDependencies['fleet'], at: Date, signal: AbortSignal): Promise<void> {
  const until = performance.now() + CATCH_UP_MS;
  while (!fleet.asOf || fleet.asOf < at) {
    if (performance.now() > until)
      throw new AppError('unavailable', 'The fleet is not up to date here; ask again in a moment.');
    await sleep(LOOK_MS, signal);
  }
}

/** All that are watched, the least safe first. */
function placesOf({ seen }: FleetWatcher, scope: FleetScope, now: Date): string[] {
  const clusters = new Map([...seen].map(([id, { cluster }]) => [id, cluster]));
  const filter = { ...scope, verdicts: [], logs: [] };
  const { places } = fleetPage(orderOf(clusters, now), clusters, filter, { behind: undefined, size: clusters.size });
  return places.map(({ id }) => id);
}

interface ChangedDependencies extends Pick<Dependencies, 'backends'> {
  readonly watcher: FleetWatcher;
  readonly matches: Matches;
}

/** The clusters watched of which something changed since a cursor. @throws AppError `cursor_too_old` where these are too many */
async function changedSince(
  { at }: FleetCursor,
  { watcher: { seen }, matches, backends }: ChangedDependencies,
  signal: AbortSignal,
): Promise<string[]> {
  const changed = new Set<string>();
  const add = (id: string) => {
    const one = seen.get(id);
    if (one && matches(id, one.cluster)) changed.add(id);
    if (changed.size > MAX_CURSOR_CHANGES) throw tooOld('too much changed since');
  };
  const updatedAfter = new Date(at.getTime() - OVERLAP_MS);
  for (const [id, { cluster, verdict }] of seen) {
    const { log, proof } = cluster;
    const isNews = [log?.changedAt, proof?.writtenAt].some((news) => news !== undefined && news > updatedAfter);
    if (isNews || verdictOf(cluster, at) !== verdict) add(id);
  }
  for (let pageToken = ''; ; ) {
    const page = await backends.registry.listClusters(
      { ids: [], pageSize: PAGE, pageToken, updatedAfter, labels: {}, text: '' },
      { signal, caller: CALLER },
    );
    for (const { id } of page.clusters) add(id);
    pageToken = page.nextPageToken;
    if (pageToken === '') break;
  }
  for await (const { clusterId } of rulesSince(backends.strategies, updatedAfter, signal)) add(clusterId);
  const { changes } = await changesAfter(backends, at, { signal, caller: CALLER });
  for (const { clusterId } of changes) add(clusterId);
  return [...changed];
}
