import { randomUUID } from 'node:crypto';
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_ENTRIES } from '@tidemark/limits/limits';
import type {
  NoteClustersRequest,
  NoteClustersResponse,
  SavedFleetStrategy,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import { isTimeZone } from '@tidemark/schedule/time-zone';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { rulesDerived } from '../events.ts';
import { reconcile } from '../fleet-loop.ts';
import type { FleetStore } from '../fleet-store.ts';
import { type ClusterLabelsDocument, isTold, toLabels } from '../fleet-strategy.ts';
import type { Dependencies } from './context.ts';

/**
 * Keeps the labels of clusters, and lets their rules follow where something changed: told again, it costs one read. Those
 * that are registered no longer lose what they have from strategies for labels, but nothing that is their own.
 */
export function noteClusters(dependencies: Dependencies) {
  const { fleet } = dependencies;
  return async (
    { clusters, goneClusterIds, toldFor }: NoteClustersRequest,
    { signal }: CallContext,
  ): Promise<NoteClustersResponse> => {
    validate(clusters, goneClusterIds);
    for (const { name, revision } of toldFor.slice(0, MAX_ENTRIES)) await fleet.markTold(name, Number(revision));
    const gone = await forget(dependencies, goneClusterIds, signal);
    const noted = new Map(clusters.map((cluster) => [cluster.clusterId, cluster]));
    const before = new Map((await fleet.clusters([...noted.keys()], signal)).map((cluster) => [cluster._id, cluster]));
    const pending = randomUUID();
    const fresh = [...noted.values()]
      .map(
        ({ clusterId, labels, timeZone }): ClusterLabelsDocument => ({
          _id: clusterId,
          labels: toLabels(labels),
          timeZone: isTimeZone(timeZone) ? timeZone : '',
          pending,
        }),
      )
      .filter((cluster) => isNews(before.get(cluster._id), cluster));
    if (fresh.length === 0) return { changed: gone, waiting: await waitingOf(fleet, signal) };
    await fleet.putClusters(fresh);
    const changed = await reconcile(
      dependencies,
      fresh.map(({ _id }) => _id),
      signal,
    );
    await fleet.clearPending(fresh);
    rulesDerived(changed, 'labels');
    return { changed: gone + changed, waiting: await waitingOf(fleet, signal) };
  };
}

/** Strategies that may not have reached every cluster which was registered when they were saved. */
async function waitingOf(fleet: FleetStore, signal: AbortSignal): Promise<SavedFleetStrategy[]> {
  const waiting = (await fleet.list(signal)).filter((one) => !one.deleting && !isTold(one));
  return waiting.map(({ _id, revision }) => ({ name: _id, revision: BigInt(revision) }));
}

async function forget(dependencies: Dependencies, ids: readonly string[], signal: AbortSignal): Promise<number> {
  for (const id of ids) await dependencies.fleet.removeCluster(id);
  const changed = await reconcile(dependencies, ids, signal);
  rulesDerived(changed, 'labels');
  return changed;
}

function isNews(before: ClusterLabelsDocument | undefined, { labels, timeZone }: ClusterLabelsDocument): boolean {
  // Damaged labels are written anew.
  if (!Array.isArray(before?.labels)) return true;
  if (before.pending !== '' || before.timeZone !== timeZone || before.labels.length !== labels.length) return true;
  return labels.some(({ name, value }, at) => before.labels[at]?.name !== name || before.labels[at]?.value !== value);
}

function validate(clusters: NoteClustersRequest['clusters'], gone: readonly string[]): void {
  const violations: FieldViolation[] = [];
  if (clusters.length > MAX_ENTRIES)
    violations.push({ field: 'clusters', description: `must be at most ${MAX_ENTRIES}` });
  if (gone.length > MAX_ENTRIES)
    violations.push({ field: 'goneClusterIds', description: `must be at most ${MAX_ENTRIES} ids of clusters` });
  if (violations.length > 0) throw invalidArgument(violations);
}
