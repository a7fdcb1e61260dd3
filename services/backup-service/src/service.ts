import { connectBroker } from '@tidemark/messaging/connection';
import { startPublisher } from '@tidemark/messaging/publisher';
import { openDatabase } from '@tidemark/mongo/database';
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
  const database = stack.use(
    await openDatabase(
      { url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog },
      BACKUP_INDEXES,
    ),
  );
  const { now } = database;
  const broker = stack.use(await connectBroker({ url: config.amqpUrl, connectionName: NAME, log: brokerLog }));
  const publisher = createCommandPublisher(
    startPublisher(broker, { namespace: config.amqpNamespace, log: brokerLog }),
    config.timing,
  );
  const store = createBackupStore(database.db, { now, limits: config.timing, onChanged: backupChanged });
  const dispatcher = stack.use(startDispatcher({ store, publisher, now, timing: config.timing }));
  const dependencies: Dependencies = {
    store,
    registry: createRegistryStore(database.db),
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
        ...database.checks,
        rabbitmq: () => broker.check(),
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
