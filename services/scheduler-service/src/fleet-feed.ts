/**
 * The changes of the fleet, for all who watch it at this copy.
 *
 * FF1. One read serves all of them: a round asks once for what changed, however many watch, and for nothing while nobody does.
 * FF2. Who watches is told whatever changes from before it was let in on: it is on the list before anything else is read for it.
 * FF3. `asOf` moves on only once all that changed before it was handed out; a round that fails is done again from the last `asOf`.
 * FF4. For one that reads slowly one change of each cluster waits, the latest.
 * FF5. What is kept here only saves reads. Who goes on at another copy, or at this one after everybody was gone, asks for what changed
 *      since its cursor.
 */
import { AppError } from '@tidemark/errors/app-error';
import { MAX_FLEET_WATCHERS } from '@tidemark/limits/limits';
import type { FleetRow } from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import { raceAbort } from '@tidemark/service-kit/abort';
import { pause } from '@tidemark/service-kit/backoff';
import { gauge } from '@tidemark/service-kit/metrics';
import { activityOf, beginOfChanges, changesAfter, createTakenIn, type TakenIn } from './activity.ts';
import type { Backends } from './backends.ts';
import { type LogVerdict, logVerdictOf } from './cluster-log.ts';
import { CALLER } from './due-loop.ts';
import type { Fleet, FleetCluster } from './fleet.ts';
import { noCounts } from './fleet-page.ts';
import { tellsTheSame, toRow } from './fleet-row.ts';
import { type Matches, type Members, NO_MEMBERS, withMember, withoutMember } from './fleet-scope.ts';
import { type Verdict, verdictUntil } from './fleet-verdict.ts';

/** A cluster as it was last handed out. */
export interface SeenCluster {
  readonly cluster: FleetCluster;
  readonly verdict: Verdict;
  /** When the verdict changes by time alone, in milliseconds since 1970. */
  readonly until: number;
}

/** One that watches. */
export interface FleetWatcher extends Disposable {
  /** Every cluster of the fleet, as it was handed out last. */
  readonly seen: ReadonlyMap<string, SeenCluster>;
  /** Of the clusters that it watches. */
  readonly counts: ReadonlyMap<Verdict, number>;
  readonly logCounts: ReadonlyMap<LogVerdict, number>;
  readonly members: Members;
  /** All that changed before was handed out, and is told once nothing waits. */
  readonly asOf: Date;
  /** How many changes wait. */
  readonly waiting: number;
  /** Takes some of the changes that wait, the oldest first: the row of each cluster; undefined where it is watched no longer. */
  take(most: number): [id: string, row: FleetRow | undefined][];
  /** Waits until a change is there, or so long. */
  changed(ms: number, signal: AbortSignal): Promise<void>;
}

export interface FleetFeed {
  /** Lets one in on the changes. @throws AppError `unavailable` while too many watch, or the fleet is not known yet */
  watch(matches: Matches, signal: AbortSignal): Promise<FleetWatcher>;
  /** Hands out what changed since the last round. */
  round(signal: AbortSignal): Promise<void>;
}

export interface FleetFeedDependencies {
  readonly fleet: Pick<Fleet, 'clusters' | 'asOf'>;
  readonly backends: Pick<Backends, 'backups'>;
  /** Database time. */
  readonly now: () => Date;
}

interface State {
  readonly seen: Map<string, SeenCluster>;
  /** The changes that were handed out. */
  readonly takenIn: TakenIn;
  /** Where the next question for backups goes on. */
  backupsAfter: Date;
  asOf: Date;
}

interface Member {
  readonly matches: Matches;
  apply(id: string, before: SeenCluster | undefined, after: SeenCluster | undefined, row: FleetRow | undefined): void;
}

const watchersNow = gauge('tidemark_fleet_watchers', 'Streams of changes of the fleet that are open.');

export function createFleetFeed({ fleet, backends, now }: FleetFeedDependencies): FleetFeed {
  const watchers = new Set<Member>();
  let starting: Promise<State> | undefined;
  let state: State | undefined;

  /** The state, from the fleet and the time as they are when the first one begins to watch. */
  async function start(): Promise<State> {
    const began = await beginOfChanges(backends, { signal: AbortSignal.timeout(STARTING_MS), caller: CALLER });
    const { clusters, asOf } = fleet;
    if (!asOf || !began) throw new AppError('unavailable', 'The fleet is being taken in; ask again in a moment.');
    const at = now();
    const seen = new Map([...clusters].map(([id, cluster]) => [id, { cluster, ...verdictUntil(cluster, at) }]));
    return { seen, takenIn: createTakenIn(), backupsAfter: began, asOf: earlier(asOf, began) };
  }

  async function started(signal: AbortSignal): Promise<State> {
    if (state) return state;
    starting ??= start().then(
      (made) => {
        starting = undefined;
        if (watchers.size > 0) state = made;
        return made;
      },
      (error) => {
        starting = undefined;
        throw error;
      },
    );
    return await raceAbort(starting, signal);
  }

  function leave(member: Member): void {
    watchers.delete(member);
    watchersNow.set(watchers.size);
    if (watchers.size === 0) state = undefined;
  }

  return {
    async watch(matches, signal) {
      if (watchers.size >= MAX_FLEET_WATCHERS)
        throw new AppError('unavailable', 'As many watch the fleet here as may; try again shortly.');
      const [counts, logCounts] = noCounts();
      const pending = new Map<string, FleetRow | undefined>();
      let members = NO_MEMBERS;
      let woken = Promise.withResolvers<void>();
      const count = ({ verdict, cluster }: SeenCluster, by: number) => {
        const log = logVerdictOf(cluster.log);
        counts.set(verdict, (counts.get(verdict) ?? 0) + by);
        logCounts.set(log, (logCounts.get(log) ?? 0) + by);
      };
      const member: Member = {
        matches,
        apply(id, before, after, row) {
          const was = before !== undefined && matches(id, before.cluster);
          const is = after !== undefined && matches(id, after.cluster);
          if (!was && !is) return;
          if (was) {
            count(before, -1);
            members = withoutMember(members, before.cluster);
          }
          if (is) {
            count(after, 1);
            members = withMember(members, after.cluster);
          }
          // Behind those that wait already, so that each has its turn.
          pending.delete(id);
          pending.set(id, is ? row : undefined);
          woken.resolve();
        },
      };
      watchers.add(member);
      watchersNow.set(watchers.size);
      try {
        const mine = await started(signal);
        for (const [id, one] of mine.seen)
          if (matches(id, one.cluster)) {
            count(one, 1);
            members = withMember(members, one.cluster);
          }
        return {
          seen: mine.seen,
          counts,
          logCounts,
          get members() {
            return members;
          },
          get asOf() {
            return mine.asOf;
          },
          get waiting() {
            return pending.size;
          },
          take(most) {
            const taken = [...pending].slice(0, most);
            for (const [id] of taken) pending.delete(id);
            if (pending.size === 0) woken = Promise.withResolvers();
            return taken;
          },
          async changed(ms, until) {
            const came = new AbortController();
            const wait = pause(ms, AbortSignal.any([until, came.signal]));
            await Promise.race([wait, woken.promise]);
            came.abort();
            until.throwIfAborted();
          },
          [Symbol.dispose]: () => leave(member),
        };
      } catch (error) {
        leave(member);
        throw error;
      }
    },

    async round(signal) {
      const mine = state;
      if (!mine) return;
      const { clusters, asOf = mine.asOf } = fleet;
      const options = { signal, caller: CALLER };
      const { changes, nextAfter } = await changesAfter(backends, mine.backupsAfter, options);
      const news = changes.filter(mine.takenIn.isNew);
      const moved = movedIn(mine.seen, clusters, now());
      const changed = new Set([...news.map(({ clusterId }) => clusterId), ...moved]);
      const isWatched = (id: string) => {
        const cluster = fleet.clusters.get(id);
        return cluster !== undefined && [...watchers].some(({ matches }) => matches(id, cluster));
      };
      const activities = await activityOf(backends, [...changed].filter(isWatched), options);
      if (state !== mine) return;
      const at = now();
      for (const id of changed) {
        const before = mine.seen.get(id);
        const cluster = fleet.clusters.get(id);
        const after = cluster && { cluster, ...verdictUntil(cluster, at) };
        if (after) mine.seen.set(id, after);
        else mine.seen.delete(id);
        const row = after && toRow({ id, verdict: after.verdict }, after.cluster, activities.get(id));
        for (const watcher of watchers) watcher.apply(id, before, after, row);
      }
      mine.takenIn.add(news);
      mine.takenIn.forgetBefore(nextAfter);
      mine.backupsAfter = nextAfter;
      mine.asOf = earlier(asOf, nextAfter);
    },
  };
}

/** The clusters of which something else is to be told than was, or that are new or gone. What only was read again is remembered. */
function movedIn(seen: Map<string, SeenCluster>, clusters: Fleet['clusters'], now: Date): string[] {
  const moved: string[] = [];
  for (const [id, cluster] of clusters) {
    const before = seen.get(id);
    if (before?.cluster === cluster && now.getTime() <= before.until) continue;
    const after = verdictUntil(cluster, now);
    if (before?.verdict === after.verdict && tellsTheSame(before.cluster, cluster)) seen.set(id, { cluster, ...after });
    else moved.push(id);
  }
  for (const id of seen.keys()) if (!clusters.has(id)) moved.push(id);
  return moved;
}

const STARTING_MS = 5_000;
const earlier = (one: Date, other: Date) => (one < other ? one : other);
