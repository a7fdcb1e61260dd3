/**
 * What is known of all clusters, in memory: for the metrics, and to find out whose retention is to be applied.
 *
 * F1. Rebuilt from the records when a copy starts and every few minutes; between, only what changed is asked for.
 * F2. A cursor moves on only after everything before it was taken in, so a round that fails is simply done again.
 * F3. A cluster that is registered no longer is gone with the next rebuild.
 * F4. What backup-service tells twice, so that nothing is lost, is taken in once; a cluster is looked up only where the
 *     change itself does not say what its newest good backup is now.
 * F5. A strategy for labels that waits for all clusters to be told is asked for before the walk over them, and named after it.
 * F6. A cluster that cannot be taken in, or cannot be read, stops no other. Only one of which backup-service says that there
 *     is none is gone.
 * F7. How log backups stand is taken in whole, or not at all: of a cluster that is left out none is wanted.
 */

import { isDeepStrictEqual } from 'node:util';
import { AppError, isOutage } from '@tidemark/errors/app-error';
import type {
  ChangedBackup,
  ListChangedClustersResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { ClusterLabels } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import type { Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { longestGapDays } from '@tidemark/schedule/weekdays';
import { inFittingPieces } from '@tidemark/service-kit/grpc/fitting';
import pMap from 'p-map';
import { createTakenIn } from './activity.ts';
import type { Backends } from './backends.ts';
import { type ClusterLog, toClusterLog } from './cluster-log.ts';
import type { DrillProof } from './drill/drill-store.ts';
import { CALLER } from './due-loop.ts';
import { createLogStandings } from './log-standings.ts';
import { type NewestGood, type Standing, standingsOf } from './newest-good.ts';
import type { Quarantines } from './quarantines.ts';
import { verifies } from './verify-newest.ts';

export interface FleetCluster extends Standing {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly registeredAt: Date;
  readonly rules: readonly Strategy[];
  /** When a drill last brought a backup of it back. */
  readonly proof?: Pick<DrillProof, 'time' | 'seconds' | 'writtenAt'>;
  /** Absent where there is nothing to tell of one. */
  readonly log?: ClusterLog;
  /** The labels that strategy-service has noted, as text. */
  readonly noted: string;
}

export interface Fleet {
  readonly clusters: ReadonlyMap<string, FleetCluster>;
  /** Another one whenever anything of the clusters may be another. */
  readonly version: number;
  /** Up to when changes were taken in; undefined until everything was, once. */
  readonly asOf: Date | undefined;
  /** When how log backups stand was last told; undefined before. */
  readonly logsAsOf: Date | undefined;
  /** Takes in everything anew. */
  rebuild(signal: AbortSignal): Promise<void>;
  /** Takes in what changed since; adds the clusters of which a backup or a rule did, as far as it comes. */
  refresh(changed: Set<string>, signal: AbortSignal): Promise<void>;
}

const PAGE = 500;
/** Newest good backups are looked up one by one: so many that a slow database answers in time. */
const GOOD_PAGE = 50;
/** Clusters that are looked up side by side. */
const ABREAST = 8;
/** Clocks of copies may differ, and a write becomes visible after its time. */
const OVERLAP_MS = 10_000;
/** A walk over everything, or what many clusters have to be told, may take long. */
const LONG_CALL_MS = 120_000;

export interface FleetDependencies {
  readonly backends: Backends;
  readonly quarantines: Pick<Quarantines, 'clusterLabels'>;
  /** Proofs that were written since, or all; without it no cluster is known to be proven. */
  readonly proofs?: (since: Date | undefined, signal: AbortSignal) => Promise<readonly DrillProof[]>;
  /** Database time. */
  readonly now: () => Date;
}

export function createFleet({ backends, quarantines, proofs, now }: FleetDependencies): Fleet {
  const { backups, plans, registry, strategies } = backends;
  let clusters = new Map<string, FleetCluster>();
  let version = 0;
  let backupsAfter: Date | undefined;
  const takenIn = createTakenIn();
  let updatedAfter: Date | undefined;
  let asOf: Date | undefined;
  const logStandings = createLogStandings(backends);
  let logsAsOf: Date | undefined;

  const cursor = () => new Date(now().getTime() - OVERLAP_MS);

  async function lookUp(clusterIds: readonly string[], signal: AbortSignal): Promise<Map<string, Standing>> {
    const found = new Map<string, Standing>();
    for (const ids of batches(clusterIds, GOOD_PAGE))
      for (const [id, one] of await standingsOf(backends, ids, { signal, caller: CALLER })) found.set(id, one);
    return found;
  }

  /** Takes clusters in, and lets strategy-service know of labels that it has not noted. */
  async function takeIn(some: readonly Cluster[], into: Map<string, FleetCluster>, signal: AbortSignal): Promise<void> {
    const news = some.filter((cluster) => clusters.get(cluster.id)?.noted !== labelsOf(cluster));
    const missed = new Set<string>();
    for (const batch of batches(news, PAGE)) {
      const labels = batch.map(({ id, labels, timeZone }) => ({ clusterId: id, labels, timeZone }));
      for (const piece of inFittingPieces(labels, ClusterLabels))
        for (const id of await noteLabels(piece, signal)) missed.add(id);
    }
    for (const cluster of some) {
      const registeredAt = cluster.createTime ?? now();
      const noted = missed.has(cluster.id) ? '' : labelsOf(cluster);
      const { name, labels } = cluster;
      into.set(cluster.id, { rules: [], ...clusters.get(cluster.id), name, labels, registeredAt, noted });
    }
  }

  /** Tells strategy-service of labels; where that fails for the sake of one cluster, one by one. @returns those that were not noted */
  async function noteLabels(labels: ClusterLabels[], signal: AbortSignal): Promise<string[]> {
    const note = (some: ClusterLabels[]) =>
      plans.noteClusters({ clusters: some, goneClusterIds: [], toldFor: [] }, longCall(signal));
    try {
      await note(labels);
      return [];
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'canceled' || isOutage(error)) throw error;
    }
    const missed: string[] = [];
    for (const one of labels)
      if (!(await quarantines.clusterLabels.attempt(one.clusterId, () => note([one]), signal)))
        missed.push(one.clusterId);
    return missed;
  }

  /** Rules that clusters have from strategies for labels although they are registered no longer go. */
  async function forgetGone(rules: readonly Strategy[], signal: AbortSignal): Promise<void> {
    const derived = rules.filter(({ fleetStrategy }) => fleetStrategy !== '');
    for (const ids of batches([...new Set(derived.map(({ clusterId }) => clusterId))], PAGE)) {
      // Asked again by name: one may have been registered since.
      const there = await registered(ids, signal);
      const missing = ids.filter((id) => !there.has(id));
      const found = await pMap(missing, (id) => isUnknown(id, signal), { concurrency: ABREAST, signal });
      const goneClusterIds = missing.filter((_, at) => found[at]);
      if (goneClusterIds.length > 0)
        await plans.noteClusters({ clusters: [], goneClusterIds, toldFor: [] }, longCall(signal));
    }
  }

  /** Whether there is no such cluster; lists leave out those that cannot be read, too. */
  async function isUnknown(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      await registry.getCluster({ id }, { signal, caller: CALLER });
      return false;
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'canceled' || isOutage(error)) throw error;
      return error.code === 'cluster_not_found';
    }
  }

  /** Those of the clusters that are registered and can be read. */
  async function registered(ids: string[], signal: AbortSignal): Promise<Set<string>> {
    const there = new Set<string>();
    for (let pageToken = ''; ; ) {
      const page = await registry.listClusters(
        { ids, pageSize: PAGE, pageToken, updatedAfter: undefined, labels: {}, text: '' },
        { signal, caller: CALLER },
      );
      for (const { id } of page.clusters) there.add(id);
      pageToken = page.nextPageToken;
      if (pageToken === '') return there;
    }
  }

  /**
   * Takes in the clusters that changed, and lets strategy-service know that none is missing which was registered before the
   * strategies were saved that waited for it: they are asked for before the clusters are.
   */
  async function refreshAll(since: Date | undefined, signal: AbortSignal): Promise<void> {
    const nobody = { clusters: [], goneClusterIds: [], toldFor: [] };
    const { waiting } = await plans.noteClusters(nobody, { signal, caller: CALLER });
    await refreshClusters(since, signal);
    if (waiting.length > 0) await plans.noteClusters({ ...nobody, toldFor: waiting }, { signal, caller: CALLER });
  }

  async function refreshClusters(since: Date | undefined, signal: AbortSignal): Promise<void> {
    for (let pageToken = ''; ; ) {
      const page = await registry.listClusters(
        { ids: [], pageSize: PAGE, pageToken, updatedAfter: since, labels: {}, text: '' },
        { signal, caller: CALLER },
      );
      const unknown = page.clusters.map(({ id }) => id).filter((id) => !clusters.has(id));
      // One that is registered again may have backups from before.
      const standings = await lookUp(unknown, signal);
      await takeIn(page.clusters, clusters, signal);
      if (page.clusters.length > 0) version += 1;
      for (const [id, standing] of standings) noteStanding(id, standing);
      pageToken = page.nextPageToken;
      if (pageToken === '') return;
    }
  }

  function noteStanding(id: string, standing: Standing | undefined): void {
    const known = clusters.get(id);
    if (known) put(id, withStanding(known, standing));
  }

  function put(id: string, cluster: FleetCluster): void {
    clusters.set(id, cluster);
    version += 1;
  }

  async function refreshProofs(since: Date | undefined, signal: AbortSignal): Promise<void> {
    for (const { _id, time, seconds, writtenAt } of (await proofs?.(since, signal)) ?? []) {
      const known = clusters.get(_id);
      if (known && known.proof?.time.getTime() !== time.getTime())
        put(_id, { ...known, proof: { time, seconds, writtenAt } });
    }
  }

  /** F7. */
  async function refreshLogs(signal: AbortSignal): Promise<void> {
    const at = now();
    const told = await logStandings.read(signal);
    if (!told) return;
    for (const [id, { log: before, ...rest }] of clusters) {
      const standing = told.get(id);
      const after = standing && toClusterLog(standing, { before, point: rest.newest?.recoveryPointAt, now: at });
      if (after && !isDeepStrictEqual(before, after)) put(id, { ...rest, log: after });
      else if (before && !after) put(id, rest);
    }
    logsAsOf = at;
  }

  /** Adds the clusters whose retention, or what they have verified, changed. */
  async function refreshRules(changed: Set<string>, since: Date | undefined, signal: AbortSignal): Promise<void> {
    const ids = new Set<string>();
    for await (const { clusterId } of rulesSince(strategies, since, signal)) ids.add(clusterId);
    for (const batch of batches([...ids], GOOD_PAGE)) {
      const rules: Strategy[] = [];
      for await (const rule of rulesOf(strategies, batch, signal)) rules.push(rule);
      const byCluster = Map.groupBy(rules, ({ clusterId }) => clusterId);
      for (const id of batch) {
        const known = clusters.get(id);
        if (!known) continue;
        const own = byCluster.get(id) ?? [];
        if (policiesOf(known.rules) !== policiesOf(own)) changed.add(id);
        put(id, { ...known, rules: own });
      }
    }
  }

  /** Adds the clusters of which a backup changed. */
  async function refreshBackups(changed: Set<string>, signal: AbortSignal): Promise<void> {
    for (let more = true, pageToken = ''; more; ) {
      const answer = await backups.listChangedClusters(
        { after: backupsAfter, limit: PAGE, pageToken, active: false },
        { signal, caller: CALLER },
      );
      const news = newsOf(answer);
      const unclear = [...news].filter(([, some]) => !areGood(some)).map(([id]) => id);
      const lookedUp = await lookUp(unclear, signal);
      for (const [id, some] of news) {
        noteStanding(id, areGood(some) ? withChanges(clusters.get(id), some) : lookedUp.get(id));
        changed.add(id);
      }
      takenIn.add(answer.backups);
      pageToken = answer.nextPageToken;
      if (pageToken !== '') continue;
      backupsAfter = answer.nextAfter;
      more = answer.more;
    }
    takenIn.forgetBefore(backupsAfter ?? new Date(0));
  }

  /** By cluster, the changes that were not taken in yet; none where a copy of an older version names the cluster only. */
  function newsOf(answer: ListChangedClustersResponse): Map<string, ChangedBackup[]> {
    if (answer.backups.length === 0) return new Map(answer.clusterIds.map((id) => [id, []]));
    const fresh = answer.backups.filter(takenIn.isNew);
    return Map.groupBy(fresh, ({ clusterId }) => clusterId);
  }

  return {
    get clusters() {
      return clusters;
    },
    get version() {
      return version;
    },
    get asOf() {
      return asOf;
    },
    get logsAsOf() {
      return logsAsOf;
    },
    async rebuild(signal) {
      const begunAt = now();
      const from = cursor();
      if (backupsAfter === undefined) {
        const start = await backups.listChangedClusters(
          { after: undefined, limit: 1, pageToken: '', active: false },
          { signal, caller: CALLER },
        );
        backupsAfter = start.nextAfter;
      }
      const next = new Map<string, FleetCluster>();
      for await (const page of registry.scanClusters({}, longCall(signal))) await takeIn(page.clusters, next, signal);
      const strays: Strategy[] = [];
      const rules = new Map<string, Strategy[]>();
      for await (const page of plans.scanStrategies({}, longCall(signal)))
        for (const rule of page.strategies) {
          if (!next.has(rule.clusterId)) strays.push(rule);
          else if (!rules.get(rule.clusterId)?.push(rule)) rules.set(rule.clusterId, [rule]);
        }
      // What is known already is kept up to date by what changes.
      const unknown = [...next.keys()].filter((id) => !clusters.has(id));
      const standings = await lookUp(unknown, signal);
      for (const [id, cluster] of next) {
        const known = { ...cluster, rules: rules.get(id) ?? [] };
        next.set(id, clusters.has(id) ? known : withStanding(known, standings.get(id)));
      }
      clusters = next;
      version += 1;
      await refreshProofs(undefined, signal);
      await refreshLogs(signal);
      updatedAfter = from;
      asOf = begunAt;
      await forgetGone(strays, signal);
    },
    async refresh(changed, signal) {
      const begunAt = now();
      const from = cursor();
      await refreshAll(updatedAfter, signal);
      await refreshRules(changed, updatedAfter, signal);
      await refreshProofs(updatedAfter, signal);
      updatedAfter = from;
      await refreshBackups(changed, signal);
      await refreshLogs(signal);
      asOf = begunAt;
    },
  };
}

const longCall = (signal: AbortSignal) => ({ signal, caller: CALLER, timeoutMs: LONG_CALL_MS });

function withStanding({ newest: _, last: __, ...rest }: FleetCluster, standing: Standing | undefined): FleetCluster {
  return { ...rest, ...standing };
}

const areGood = (changes: readonly ChangedBackup[]) => changes.length > 0 && changes.every(({ good }) => good);

/** With good backups that changed: those of a cluster run one after the other, so that what is latest is the newest. */
function withChanges({ newest: known, last }: Standing = {}, good: readonly ChangedBackup[]): Standing {
  const recoveryPointAt = latestOf([known?.recoveryPointAt, ...good.map(({ snapshotTime }) => snapshotTime)]);
  const verified = good.filter((one) => one.verified).map(({ snapshotTime }) => snapshotTime);
  const verifiedPointAt = latestOf([known?.verifiedPointAt, ...verified]);
  const endedAt = latestOf([known?.endedAt, ...good.map(({ endTime }) => endTime)]) ?? new Date(0);
  const changed = good.find(({ endTime }) => endTime?.getTime() === endedAt.getTime());
  const { startedAt, sizeBytes } = changed ? sizeOf(changed) : (known ?? {});
  // One that ended before the last did is no news of that.
  const before = (last ?? known)?.endedAt;
  const isLast = changed !== undefined && (before === undefined || before < endedAt);
  const ended = isLast ? ({ state: 'Succeeded', endedAt } as const) : last;
  return {
    newest: {
      endedAt,
      ...(startedAt && { startedAt }),
      ...(sizeBytes !== undefined && { sizeBytes }),
      ...(recoveryPointAt && { recoveryPointAt }),
      ...(verifiedPointAt && { verifiedPointAt }),
    },
    ...(ended && { last: ended }),
  };
}

function sizeOf({ startTime, sizeBytes }: ChangedBackup): Pick<NewestGood, 'startedAt' | 'sizeBytes'> {
  return { ...(startTime && { startedAt: startTime }), ...(sizeBytes > 0n && { sizeBytes: Number(sizeBytes) }) };
}

function latestOf(instants: readonly (Date | undefined)[]): Date | undefined {
  const known = instants.filter((at) => at !== undefined).map((at) => at.getTime());
  return known.length === 0 ? undefined : new Date(Math.max(...known));
}

/** A cluster that was registered anew is told anew. */
function labelsOf({ labels, timeZone, createTime }: Cluster): string {
  return JSON.stringify([Object.entries(labels).sort(), timeZone, createTime]);
}

/**
 * The longest time between two windows of a cluster, by its rules that are not paused; undefined where none is planned.
 */
export function expectedIntervalMs({ rules }: FleetCluster): number | undefined {
  const days = rules.filter(({ nextWindow }) => nextWindow !== undefined).flatMap((rule) => rule.days);
  const gap = longestGapDays(days);
  return gap === undefined ? undefined : gap * 86_400_000;
}

/** How often the rules of a cluster have a backup verified; undefined where none does. */
export function verifiedEveryMs({ rules }: FleetCluster): number | undefined {
  const days = rules.filter(verifies).map(({ verify }) => verify.everyDays);
  return days.length === 0 ? undefined : Math.min(...days) * 86_400_000;
}

function policiesOf(rules: readonly Strategy[]): string {
  const policies = rules.map((one) => [one.rule, one.retention, one.timeZone, one.verify, one.paused, one.fleetPaused]);
  return JSON.stringify(policies.sort());
}

function* batches<T>(all: readonly T[], size: number): Generator<T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size);
}

/** The rules that changed since; all of them where it is undefined. */
export const rulesSince = (strategies: Backends['strategies'], updatedAfter: Date | undefined, signal: AbortSignal) =>
  listAll(strategies, [], updatedAfter, signal);
const rulesOf = (strategies: Backends['strategies'], clusterIds: string[], signal: AbortSignal) =>
  listAll(strategies, clusterIds, undefined, signal);

async function* listAll(
  strategies: Backends['strategies'],
  clusterIds: string[],
  updatedAfter: Date | undefined,
  signal: AbortSignal,
): AsyncGenerator<Strategy> {
  for (let pageToken = ''; ; ) {
    const page = await strategies.listStrategies(
      { clusterIds, withRetention: false, pageSize: PAGE, pageToken, updatedAfter },
      { signal, caller: CALLER },
    );
    yield* page.strategies;
    pageToken = page.nextPageToken;
    if (pageToken === '') return;
  }
}
