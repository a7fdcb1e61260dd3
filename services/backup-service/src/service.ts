import { connectBroker } from '@tidemark/messaging/connection';
import { startPublisher } from '@tidemark/messaging/publisher';
import { startDatabaseClock } from '@tidemark/mongo/clock';
import { connectMongo } from '@tidemark/mongo/connection';
import { startIndexing } from '@tidemark/mongo/indexes';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { BACKUP_INDEXES, createBackupStore } from './backup-store.ts';
import { createCommandPublisher } from './command-publisher.ts';
import type { BackupServiceConfig } from './config.ts';
import { startDispatcher } from './dispatcher.ts';
import { backupChanged } from './events.ts';
import { brokerLog, log, storeLog } from './logger.ts';
import { createRegistryStore } from './registry-store.ts';
import { backupService } from './rpc/backup-service.ts';
import type { Dependencies } from './rpc/context.ts';
import { executorService } from './rpc/executor-service.ts';
import { registryService } from './rpc/registry-service.ts';

const NAME = 'backup-service';
/** Spares a start beside a database that is up the warning that it was not reached yet. */
const SETTLE_MS = 1_500;

export interface RunningBackupService extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/**
 * Starts backup-service: it comes up whether or not the database and the broker are there, says through `/readyz` what
 * is missing, and recovers by itself.
 */
export async function startBackupService(config: BackupServiceConfig): Promise<RunningBackupService> {
  await using stack = new AsyncDisposableStack();
  const mongo = stack.use(
    connectMongo({ url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog }),
  );
  const indexes = stack.use(startIndexing(mongo.db, BACKUP_INDEXES, { log: storeLog }));
  const clock = stack.use(startDatabaseClock(mongo, { log: storeLog }));
  await clock.settle(SETTLE_MS);
  const broker = stack.use(await connectBroker({ url: config.amqpUrl, connectionName: NAME, log: brokerLog }));
  const publisher = createCommandPublisher(
    startPublisher(broker, { namespace: config.amqpNamespace, log: brokerLog }),
    config.timing,
  );
  const now = () => clock.now();
  const store = createBackupStore(mongo.db, { now, limits: config.timing, onChanged: backupChanged });
  const dispatcher = stack.use(startDispatcher({ store, publisher, now, timing: config.timing }));
  const dependencies: Dependencies = {
    store,
    registry: createRegistryStore(mongo.db),
    dispatcher,
    publisher,
    now,
    deadlineMs: config.timing.deadlineMs,
  };
  const server = stack.use(
    await startGrpcServer({
      host: config.host,
      port: config.port,
      token: config.serviceToken,
      log,
      services: [backupService(dependencies), executorService(dependencies), registryService(dependencies)],
    }),
  );
  const operations = stack.use(
    await startOperationsListener({
      host: config.host,
      port: config.operationsPort,
      log,
      ready: {
        mongodb: (signal) => mongo.ping(signal),
        indexes: () => indexes.check(),
        rabbitmq: () => broker.check(),
        clock: () => void clock.now(),
        dispatcher: () => dispatcher.check(),
      },
    }),
  );
  stack.defer(() => operations.stopping());
  const owned = stack.move();
  return {
    port: server.port,
    operationsPort: operations.port,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
