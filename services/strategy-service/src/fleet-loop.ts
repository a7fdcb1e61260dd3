/**
 * Brings the rules of clusters in line with the strategies for labels. Any number of copies may do it at once.
 *
 * F1. What a cluster should have is always derived from what is stored (`derive.ts`), never from what changed: doing it
 *     again, half, twice or by two copies at once comes to the same.
 * F2. Labels and rules are read before the strategies for labels, each rule is written by compare-and-set, and after
 *     writing both are looked at again: who was overtaken derives anew.
 * F3. A strategy for labels is marked as applied, or removed, only after every cluster was derived that was known when its
 *     revision was there; a copy that dies before leaves it to any other. A cluster told later is derived when it is told.
 *     So one is only called applied once the scheduler, too, has told all clusters that it found by a walk which began after
 *     the revision was there (`NoteClusters`, `waiting` and `told_for`): no clocks are compared.
 * F4. A cluster told with other labels is pending until its rules follow them, so a copy that dies between is made up for.
 * F5. Everything is derived anew once an hour, whatever a copy that was frozen in the middle of F2 left behind.
 * F6. A cluster whose rules cannot be derived stops no other, and what comes from a strategy for labels that cannot be read
 *     stays as it is. Both are made up for by F5 once they are mended.
 */
import { FleetStrategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { startLoop } from '@tidemark/service-kit/loop';
import { readable } from '@tidemark/service-kit/quarantine';
import { type DerivedWrite, derive } from './derive.ts';
import { fleetApplied, fleetRemoved, rulesDerived } from './events.ts';
import { BUCKETS, type FleetStore } from './fleet-store.ts';
import { type ClusterLabelsDocument, type FleetStrategyDocument, toFleetMessage } from './fleet-strategy.ts';
import { storeLog } from './logger.ts';
import type { Quarantines } from './quarantines.ts';
import type { StrategyDocument } from './strategy.ts';
import { pauseAfterConflict, type StrategyStore, tooManyConflicts } from './strategy-store.ts';

export interface FleetDependencies {
  readonly store: StrategyStore;
  readonly fleet: FleetStore;
  /** Database time. */
  readonly now: () => Date;
  readonly timeZone: string;
  readonly spreadMs: number;
  readonly quarantines: Quarantines;
}

export interface FleetLoop extends AsyncDisposable {
  /** Looks for work at once. */
  wake(): void;
}

const EVERY_MS = 2_000;
const AUDIT_EVERY_MS = 3_600_000;
const PAGE = 500;
const WRITES_AT_ONCE = 16;
const MOST_TRIES = 30;

/**
 * Gives clusters the rules that they should have (F1, F2).
 *
 * @param drop an own rule of them that is to be forgotten; from then on only what is written later is theirs again
 * @returns how many rules changed
 * @throws AppError `conflict` when others change the same again and again
 */
export async function reconcile(
  { store, fleet, now, timeZone, spreadMs, quarantines }: FleetDependencies,
  clusterIds: readonly string[],
  signal: AbortSignal,
  drop?: string,
): Promise<number> {
  if (clusterIds.length === 0) return 0;
  let changed = 0;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const clusters = await fleet.clusters(clusterIds, signal);
    const rules = Map.groupBy(await store.ofClusters(clusterIds, signal), ({ clusterId }) => clusterId);
    const strategies = await fleet.list(signal);
    const known = new Map(clusters.map((cluster) => [cluster._id, cluster]));
    const sound = readable(quarantines.fleetStrategies, strategies, (one) => toFleetMessage(one, 0), FleetStrategy);
    const soundNames = new Set(sound.map(({ record }) => record._id));
    const deriveFor = (id: string) =>
      derive({
        cluster: known.get(id),
        rules: rules.get(id) ?? [],
        fleet: sound.map(({ record }) => record),
        unreadable: new Set(strategies.map(({ _id }) => _id).filter((name) => !soundNames.has(name))),
        drop,
        at: now(),
        timeZone,
        spreadMs,
      });
    // Who asks for one cluster alone is told what is wrong with it.
    const writes = clusterIds.flatMap((id) =>
      drop === undefined ? (quarantines.derivedClusters.read(id, () => deriveFor(id)) ?? []) : deriveFor(id),
    );
    if (writes.length === 0) return changed;
    const done = await applyAll(store, writes);
    changed += done;
    const overtaken = done < writes.length;
    if (!overtaken && (await unchanged(fleet, clusterIds, clusters, strategies, signal))) return changed;
    await pauseAfterConflict(tries, signal);
  }
  throw tooManyConflicts(clusterIds[0] ?? '');
}

async function reconcileAll(
  dependencies: FleetDependencies,
  clusterIds: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  let changed = 0;
  for (let first = 0; first < clusterIds.length; first += PAGE)
    changed += await reconcile(dependencies, clusterIds.slice(first, first + PAGE), signal);
  return changed;
}

async function applyAll(store: StrategyStore, writes: readonly DerivedWrite[]): Promise<number> {
  let done = 0;
  for (let first = 0; first < writes.length; first += WRITES_AT_ONCE) {
    const results = await Promise.all(
      writes
        .slice(first, first + WRITES_AT_ONCE)
        .map(({ before, after }) => (after ? store.write(before, after) : store.remove(before as StrategyDocument))),
    );
    done += results.filter(Boolean).length;
  }
  return done;
}

async function unchanged(
  fleet: FleetStore,
  clusterIds: readonly string[],
  clusters: readonly ClusterLabelsDocument[],
  strategies: readonly FleetStrategyDocument[],
  signal: AbortSignal,
): Promise<boolean> {
  const ofClusters = (some: readonly ClusterLabelsDocument[]) =>
    some
      .map(({ _id, labels, timeZone }) => JSON.stringify([_id, labels, timeZone]))
      .toSorted()
      .join();
  const ofFleet = (some: readonly FleetStrategyDocument[]) =>
    some.map(({ _id, revision }) => `${_id}@${revision}`).join();
  return (
    ofFleet(await fleet.list(signal)) === ofFleet(strategies) &&
    ofClusters(await fleet.clusters(clusterIds, signal)) === ofClusters(clusters)
  );
}

/** Starts to apply what was saved, and to look over everything now and then. */
export function startFleetLoop(dependencies: FleetDependencies): FleetLoop {
  // Copies that were started together do not look over everything together.
  let auditAt = performance.now() + AUDIT_EVERY_MS * (0.5 + 0.5 * Math.random());
  return startLoop({
    name: 'fleet-loop',
    everyMs: EVERY_MS,
    log: storeLog,
    async run(signal) {
      const audit = performance.now() >= auditAt;
      await applyPending(dependencies, signal);
      const settled = await applyFleet(dependencies, signal, audit);
      if (audit) auditAt = performance.now() + AUDIT_EVERY_MS;
      return !settled;
    },
  });
}

async function applyPending(dependencies: FleetDependencies, signal: AbortSignal): Promise<void> {
  const pending = await dependencies.fleet.pendingClusters(PAGE, signal);
  if (pending.length === 0) return;
  const ids = pending.map(({ _id }) => _id);
  rulesDerived(await reconcile(dependencies, ids, signal), 'labels');
  await dependencies.fleet.clearPending(pending);
}

/** One walk over all clusters, if there is something to apply. @returns whether nothing was saved meanwhile */
export async function applyFleet(
  dependencies: FleetDependencies,
  signal: AbortSignal,
  audit: boolean,
): Promise<boolean> {
  const { store, fleet } = dependencies;
  const all = await fleet.list(signal);
  const waiting = all.filter(({ revision, appliedRevision, deleting }) => deleting || appliedRevision !== revision);
  if (waiting.length === 0 && !audit) return true;

  let changed = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1)
    changed += await reconcileAll(dependencies, await fleet.clusterIdsIn(bucket, signal), signal);
  // Rules of clusters that nobody knows any more.
  const names = audit ? [undefined] : waiting.filter(({ deleting }) => deleting).map(({ _id }) => _id);
  for (const name of names)
    changed += await reconcileAll(dependencies, await store.clustersWithFleetRules(name, signal), signal);
  rulesDerived(changed, audit ? 'audit' : 'fleet');

  let settled = true;
  for (const one of waiting) {
    const done = one.deleting ? await fleet.remove(one) : await fleet.markApplied(one);
    if (done && one.deleting) fleetRemoved(one);
    else if (done) fleetApplied(one);
    // Another copy may have removed it.
    else settled = settled && (await fleet.get(one._id, signal)) === undefined;
  }
  return settled;
}
