/**
 * Which clusters are registered, as far as this service knows: the collection `known_clusters`. The registry itself is
 * backup-service's.
 *
 * K1. A cluster is taken for registered, without asking the registry, only while its record says so. The record is read for
 *     each call, so every copy knows what any copy does.
 * K2. Before a cluster is deleted its record is put in doubt. For a minute from then, which is longer than any call may take,
 *     the registry is asked each time and no answer is kept. So nobody is told of a cluster whose deletion was answered, also
 *     where whoever deletes it dies half-way.
 * K3. An answer of the registry is kept only where the record was not put in doubt since before the question.
 * K4. What is kept is asked again after ten minutes.
 * K5. A save that made a rule looks at the record again. Where that was put in doubt meanwhile and the cluster is gone, the
 *     rule goes, too.
 * K6. Of a cluster that was in doubt, the rules go that are older than its registration: a save may have died before K5.
 */
import { randomUUID } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { isDuplicateKey, orStoreError } from '@tidemark/mongo/mongo-error';
import type { Cluster, RegistryServiceServer } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { CallOptions, ServiceClient } from '@tidemark/service-kit/grpc/client';
import { shareReads } from '@tidemark/service-kit/shared-reads';
import type { Db } from 'mongodb';
import type { StrategyStore } from './strategy-store.ts';

export type Registry = Pick<ServiceClient<RegistryServiceServer>, 'getCluster' | 'getStorage'>;

/** For whom the registry is asked. */
export type Asking = CallOptions & { readonly signal: AbortSignal };

/** A cluster that is registered. */
export interface Standing {
  /** Changes whenever the cluster is put in doubt. */
  readonly doubt: string;
  /** What the registry says, where it was asked. */
  readonly cluster: Cluster | undefined;
}

export interface KnownClusters {
  /** @throws AppError `cluster_not_found` */
  require(clusterId: string, asking: Asking): Promise<Standing>;
  /** The cluster as the registry has it now. @throws AppError `cluster_not_found` */
  ask(clusterId: string, asking: Asking): Promise<Cluster>;
  /** Whether a cluster was there all the while, or is there again (K5). */
  stillStands(clusterId: string, before: Standing, asking: Asking): Promise<boolean>;
  /** Puts a cluster in doubt (K2). */
  doubt(clusterId: string): Promise<void>;
}

interface KnownCluster {
  readonly _id: string;
  readonly doubt: string;
  readonly doubtedAt: Date | null;
  /** When the registry said last that there is such a cluster; null: in doubt. */
  readonly knownAt: Date | null;
}

const DOUBTED_MS = 60_000;
const KEPT_MS = 600_000;
const NO_DOUBT = '';

export interface KnownClustersOptions {
  readonly db: Db;
  readonly registry: Registry;
  readonly store: Pick<StrategyStore, 'removeOlder'>;
  /** Database time. */
  readonly now: () => Date;
}

export function createKnownClusters({ db, registry, store, now }: KnownClustersOptions): KnownClusters {
  const records = db.collection<KnownCluster>('known_clusters');

  const share = shareReads<KnownCluster | null>();
  const read = (_id: string, gone: AbortSignal) =>
    share(_id, gone, (signal) => orStoreError(() => records.findOne({ _id }, { signal })));

  async function ask(id: string, asking: Asking): Promise<Cluster> {
    const { cluster } = await registry.getCluster({ id }, asking);
    if (!cluster) throw new AppError('internal', 'The registry answered without a cluster.');
    return cluster;
  }

  /** Keeps what the registry says (K3). */
  async function keep(_id: string, doubt: string): Promise<void> {
    const knownAt = now();
    await orStoreError(async () => {
      try {
        await records.updateOne(
          { _id, doubt },
          { $set: { knownAt }, $setOnInsert: { doubtedAt: null } },
          { upsert: true },
        );
      } catch (error) {
        // Put in doubt meanwhile, or kept by another copy.
        if (!isDuplicateKey(error)) throw error;
      }
    });
  }

  return {
    ask,
    async require(clusterId, asking) {
      const record = await read(clusterId, asking.signal);
      const { doubt = NO_DOUBT, doubtedAt = null, knownAt = null } = record ?? {};
      if (isWithin(knownAt, KEPT_MS, now())) return { doubt, cluster: undefined };
      const cluster = await ask(clusterId, asking);
      if (doubtedAt && !knownAt && cluster.createTime) await store.removeOlder(clusterId, cluster.createTime);
      if (!isWithin(doubtedAt, DOUBTED_MS, now())) await keep(clusterId, doubt);
      return { doubt, cluster };
    },
    async stillStands(clusterId, before, asking) {
      const record = await read(clusterId, asking.signal);
      if ((record?.doubt ?? NO_DOUBT) === before.doubt) return true;
      try {
        await ask(clusterId, asking);
        return true;
      } catch (error) {
        if (error instanceof AppError && error.code === 'cluster_not_found') return false;
        throw error;
      }
    },
    doubt: (_id) =>
      orStoreError(async () => {
        const inDoubt = { doubt: randomUUID(), doubtedAt: now(), knownAt: null };
        const write = () => records.updateOne({ _id }, { $set: inDoubt }, { upsert: true });
        // Two copies that insert the same record at once: the second then finds it.
        await write().catch((error: unknown) => (isDuplicateKey(error) ? write() : Promise.reject(error)));
      }),
  };
}

function isWithin(at: Date | null, ms: number, now: Date): boolean {
  return at !== null && +now - +at < ms;
}
