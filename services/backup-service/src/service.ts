import { connectBroker } from '@tidemark/messaging/connection';
import { startPublisher } from '@tidemark/messaging/publisher';
import { openDatabase } from '@tidemark/mongo/database';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { openTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { startLoop } from '@tidemark/service-kit/loop';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { ATTEMPT_OUTPUT_INDEXES, createAttemptOutputStore } from './attempt-output-store.ts';
import { BACKUP_INDEXES, createBackupStore } from './backup-store.ts';
import { createCommandPublisher } from './command-publisher.ts';
import type { BackupServiceConfig } from './config.ts';
import { startDispatcher } from './dispatcher.ts';
import { backupChanged, checkChanged, deletionsCounted } from './events.ts';
import { createFinishedBackups, FINISHED_INDEXES } from './finished-backups.ts';
import { brokerLog, log, storeLog } from './logger.ts';
import { createRegistryStore, REGISTRY_INDEXES } from './registry-store.ts';
import { backupService } from './rpc/backup-service.ts';
import type { Dependencies } from './rpc/context.ts';
import { executorService } from './rpc/executor-service.ts';
import { registryService } from './rpc/registry-service.ts';
import { CHECK_INDEXES, createStorageCheckStore } from './storage-check-store.ts';
import { createTurns, TURN_INDEXES } from './turns.ts';

const NAME = 'backup-service';
/** How long checks of storages are kept. */
const CHECKS_KEPT_MS = 86_400_000;
/** How often old output and old checks are looked for. */
const RETENTION_MS = 3_600_000;
/** How often deletions that are not done are counted, for the metrics. */
const COUNT_MS = 15_000;

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
  const certificate = stack.use(openTransportSecurity(config, { log }));
  const database = stack.use(
    await openDatabase({ url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog }, [
      ...BACKUP_INDEXES,
      ...TURN_INDEXES,
      ...FINISHED_INDEXES,
      ...REGISTRY_INDEXES,
      ...ATTEMPT_OUTPUT_INDEXES,
      ...CHECK_INDEXES,
    ]),
  );
  const { now } = database;
  const broker = stack.use(await connectBroker({ url: config.amqpUrl, connectionName: NAME, log: brokerLog }));
  const publisher = createCommandPublisher(
    startPublisher(broker, { namespace: config.amqpNamespace, log: brokerLog }),
    config.timing,
  );
  const turns = createTurns(database.db);
  const finished = createFinishedBackups(database.db);
  const store = createBackupStore(database.db, {
    now,
    limits: config.timing,
    turns,
    finished,
    onChanged: backupChanged,
  });
  const checks = createStorageCheckStore(database.db, { now, limits: config.timing, onChanged: checkChanged });
  const output = createAttemptOutputStore(database.db);
  const dispatcher = stack.use(startDispatcher({ store, turns, checks, publisher, now, timing: config.timing }));
  stack.use(
    startLoop({
      name: 'retention of output and checks',
      everyMs: RETENTION_MS,
      log: storeLog,
      async run(signal) {
        await output.removeBefore(new Date(now().getTime() - config.outputMs));
        await checks.removeBefore(new Date(now().getTime() - CHECKS_KEPT_MS), signal);
        return false;
      },
    }),
  );
  stack.use(
    startLoop({
      name: 'count of deletions',
      everyMs: COUNT_MS,
      log: storeLog,
      async run(signal) {
        deletionsCounted(await finished.countPendingDeletions(signal));
        return false;
      },
    }),
  );
  const dependencies: Dependencies = {
    store,
    turns,
    finished,
    output,
    checks,
    registry: createRegistryStore(database.db),
    dispatcher,
    publisher,
    now,
    limits: config.timing,
    deadlineMs: config.timing.deadlineMs,
    retentionDeletions: config.retentionDeletions,
  };
  const server = stack.use(
    await startGrpcServer({
      host: config.host,
      port: config.port,
      token: config.serviceToken,
      certificate,
      log,
      services: [backupService(dependencies), executorService(dependencies), registryService(dependencies)],
    }),
  );
  const operations = stack.use(
    await startOperationsListener({
      host: config.operationsHost,
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
