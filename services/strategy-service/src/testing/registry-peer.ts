/** backup-service's registry as a peer on the wire: every cluster and storage is there unless a test says otherwise. */
import { AppError } from '@tidemark/errors/app-error';
import {
  Cluster,
  type RegistryServiceServer,
  RegistryServiceService,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { bindPart } from '@tidemark/service-kit/testing/bind-part';
import { log } from '../logger.ts';

export interface RegistryPeer extends AsyncDisposable {
  readonly address: string;
  /** Clusters that are not registered. */
  readonly unknown: Set<string>;
  /** What is known of a cluster beside its id. */
  readonly clusters: Map<string, Partial<Cluster>>;
  /** Storages that no cluster may use. */
  readonly closed: Set<string>;
  /** The clusters that were asked for, in order. */
  readonly asked: string[];
  /** What comes between reading a cluster and answering it. */
  beforeAnswer: (clusterId: string) => Promise<void>;
}

export async function serveRegistry(): Promise<RegistryPeer> {
  const clusters = new Map<string, Partial<Cluster>>();
  const unknown = new Set<string>();
  const closed = new Set<string>();
  const asked: string[] = [];
  const server = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    token: undefined,
    log,
    services: [
      bindPart<RegistryServiceServer>(RegistryServiceService, {
        async getCluster({ id }) {
          asked.push(id);
          const isUnknown = unknown.has(id);
          const cluster = Cluster.create({ ...clusters.get(id), id });
          await peer.beforeAnswer(id);
          if (isUnknown)
            throw new AppError('cluster_not_found', `There is no cluster ${id}.`, { info: { clusterId: id } });
          return { cluster };
        },
        async getStorage({ id, clusterId }) {
          if (closed.has(id))
            throw new AppError('storage_not_found', `There is no storage ${id} that cluster ${clusterId} may use.`);
          return { storage: Storage.create({ id }) };
        },
      }),
    ],
  });
  const peer: RegistryPeer = {
    address: `127.0.0.1:${server.port}`,
    unknown,
    clusters,
    closed,
    asked,
    beforeAnswer: async () => undefined,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return peer;
}
