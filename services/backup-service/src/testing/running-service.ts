import { randomUUID } from 'node:crypto';
import { deleteNamespace } from '@tidemark/messaging/topology';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
  type StartBackupRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import {
  type ExecutorServiceServer,
  ExecutorServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import {
  type LogBackupServiceServer,
  LogBackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup_service';
import {
  Cluster,
  type RegistryServiceServer,
  RegistryServiceService,
  Storage,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  type RestoreServiceServer,
  RestoreServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { type Db, MongoClient } from 'mongodb';
import { expect, inject, vi } from 'vitest';
import { toConfig } from '../config.ts';
import { startBackupService } from '../service.ts';

// For this service's tests only: the real service over the real servers, with names of its own.

export interface TestService extends AsyncDisposable {
  readonly backups: ServiceClient<BackupServiceServer>;
  readonly restores: ServiceClient<RestoreServiceServer>;
  readonly logBackups: ServiceClient<LogBackupServiceServer>;
  readonly executor: ServiceClient<ExecutorServiceServer>;
  readonly registry: ServiceClient<RegistryServiceServer>;
  /** Its database, for a look behind it. */
  readonly db: Db;
  readonly namespace: string;
  /** host:port of its calls. */
  readonly address: string;
  /** host:port of `/readyz` and `/metrics`. */
  readonly operations: string;
  /** Another copy of the service over the same database and broker. */
  another(): Promise<TestService>;
  /** Registers a cluster of a new name. */
  newCluster(): Promise<string>;
}

/** Starts the service with a storage `local`; `env` adds to its settings. */
export async function runningService(
  env: Readonly<Record<string, string>> = {},
  namespace = `test-${randomUUID()}`,
): Promise<TestService> {
  await using stack = new AsyncDisposableStack();
  const owner = !('TIDEMARK_SHARED' in env);
  const settings = {
    TIDEMARK_PORT: '0',
    TIDEMARK_OPERATIONS_PORT: '0',
    TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
    TIDEMARK_MONGODB_DATABASE: namespace,
    TIDEMARK_AMQP_URL: inject('amqpUrl'),
    TIDEMARK_AMQP_NAMESPACE: namespace,
    TIDEMARK_QUIET_SECONDS: '0.2',
    TIDEMARK_POLL_SECONDS: '0.25',
    ...env,
  };
  const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), async (client) => {
    if (owner) await dropTestDatabase(client.db(namespace));
    await client.close();
    if (owner) await deleteNamespace(inject('amqpUrl'), namespace, ['default']);
  });
  const service = stack.use(await startBackupService(toConfig(settings)));
  await vi.waitFor(
    async () => expect((await fetch(`http://127.0.0.1:${service.operationsPort}/readyz`)).status).toBe(200),
    { timeout: 20_000 },
  );
  const client = <S>(definition: Parameters<typeof createServiceClient<S>>[0]) =>
    stack.use(createServiceClient<S>(definition, { address: `127.0.0.1:${service.port}`, token: undefined }));
  const registry = client<RegistryServiceServer>(RegistryServiceService);
  if (owner)
    await registry.putStorage({
      storage: Storage.create({ id: 'local', location: { $case: 'local', value: { path: '/tmp/storage' } } }),
    });
  const clients = {
    backups: client<BackupServiceServer>(BackupServiceService),
    restores: client<RestoreServiceServer>(RestoreServiceService),
    logBackups: client<LogBackupServiceServer>(LogBackupServiceService),
    executor: client<ExecutorServiceServer>(ExecutorServiceService),
    registry,
  };
  const owned = stack.move();
  return {
    ...clients,
    db: mongo.db(namespace),
    namespace,
    address: `127.0.0.1:${service.port}`,
    operations: `127.0.0.1:${service.operationsPort}`,
    another: () => runningService({ ...env, TIDEMARK_SHARED: '1' }, namespace),
    async newCluster() {
      const id = `cluster-${randomUUID().slice(0, 8)}`;
      // Nothing listens there: each cluster of a test is one of its own.
      await registry.putCluster({ cluster: Cluster.create({ id, pd: [`${id}:2379`], storageId: 'local' }) });
      return id;
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** A wish for a backup of a cluster. */
export function wishFor(clusterId: string, fields: Partial<StartBackupRequest> = {}): StartBackupRequest {
  return {
    clusterId,
    mode: BackupMode.BACKUP_MODE_UNSPECIFIED,
    type: '',
    key: '',
    origin: BackupOrigin.BACKUP_ORIGIN_REQUEST,
    notAfter: undefined,
    brOptions: undefined,
    rule: '',
    storageId: '',
    ...fields,
  };
}
