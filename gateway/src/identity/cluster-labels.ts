import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import type { Cluster } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { REQUEST_ID } from '@tidemark/service-kit/grpc/metadata-names';
import { hasLabels, type Labels } from '@tidemark/service-kit/label-selector';
import type { Backends } from '../backends.ts';
import { log } from '../logger.ts';
import { toError } from '../to-error.ts';

/** Finds clusters by their labels. */
export interface ClusterLabels {
  /**
   * Ids of the clusters that have all of these labels, as the registry had them a few seconds ago at most.
   *
   * @throws AppError `unavailable` when the registry cannot be asked
   */
  clustersWith(labels: Labels): Promise<readonly string[]>;
}

/** How old an answer may be, in milliseconds. */
export interface LabelAges {
  /** From then on the registry is asked again, while the answer is still given. */
  readonly fresh: number;
  /** From then on the answer is no longer given. */
  readonly usable: number;
}

interface Snapshot {
  readonly at: number;
  readonly clusters: readonly Pick<Cluster, 'id' | 'labels'>[];
  /** Ids by the labels asked for. */
  readonly found: Map<string, readonly string[]>;
}

const AGES: LabelAges = { fresh: 1_000, usable: 5_000 };
const PAGE = 1_000;
const ASK_MS = 1_500;

/**
 * Asks the registry for all clusters, at most once at a time, and remembers the answer for seconds.
 *
 * @param headers that prove the gateway to the registry
 */
export function createClusterLabels(
  registry: Pick<Backends['registry'], 'listClusters'>,
  headers: Readonly<Record<string, string>>,
  { fresh, usable }: LabelAges = AGES,
): ClusterLabels {
  let snapshot: Snapshot | undefined;
  let refreshing: Promise<Snapshot> | undefined;

  const ask = async (): Promise<Snapshot> => {
    const at = performance.now();
    const clusters: Snapshot['clusters'][number][] = [];
    const options = { timeoutMs: ASK_MS, headers: { ...headers, [REQUEST_ID]: `labels-${randomUUID()}` } };
    for (let pageToken = ''; ; ) {
      const page = await registry.listClusters({ pageSize: PAGE, pageToken }, options);
      clusters.push(...page.clusters.map(({ id, labels }) => ({ id, labels })));
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    snapshot = { at, clusters, found: new Map() };
    return snapshot;
  };
  const refresh = (): Promise<Snapshot> => {
    refreshing ??= ask().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };
  const recent = async (): Promise<Snapshot> => {
    const age = snapshot ? performance.now() - snapshot.at : Number.POSITIVE_INFINITY;
    if (snapshot && age < fresh) return snapshot;
    const next = refresh();
    if (!snapshot || age >= usable) return next;
    next.catch((error: unknown) => log.warn({ error: toError(error) }, 'labels of clusters could not be looked up'));
    return snapshot;
  };

  return {
    async clustersWith(labels) {
      try {
        return idsIn(await recent(), labels);
      } catch (error) {
        throw new AppError(
          'unavailable',
          'Which clusters this token is for cannot be looked up right now; try again shortly.',
          { cause: error },
        );
      }
    },
  };
}

function idsIn({ clusters, found }: Snapshot, labels: Labels): readonly string[] {
  const key = JSON.stringify(Object.entries(labels).sort());
  const ids = found.get(key) ?? clusters.filter((cluster) => hasLabels(cluster.labels, labels)).map(({ id }) => id);
  found.set(key, ids);
  return ids;
}
