import { startDatabaseClock } from '@tidemark/mongo/clock';
import { connectMongo } from '@tidemark/mongo/connection';
import { startIndexing } from '@tidemark/mongo/indexes';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { openBackends } from './backends.ts';
import type { SchedulerConfig } from './config.ts';
import { startDueLoop } from './due-loop.ts';
import { log, storeLog } from './logger.ts';
import { createOccurrenceStore, OCCURRENCE_INDEXES } from './occurrence-store.ts';
import { occurrenceService } from './rpc/occurrence-service.ts';

const NAME = 'scheduler-service';
/** Spares a start beside a database that is up the warning that it was not reached yet. */
const SETTLE_MS = 1_500;

export interface RunningScheduler extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/** Starts scheduler-service; any number of copies may run, and there is no leader among them. */
export async function startScheduler(config: SchedulerConfig): Promise<RunningScheduler> {
  await using stack = new AsyncDisposableStack();
  const mongo = stack.use(
    connectMongo({ url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog }),
  );
  const indexes = stack.use(startIndexing(mongo.db, OCCURRENCE_INDEXES, { log: storeLog }));
  const clock = stack.use(startDatabaseClock(mongo, { log: storeLog }));
  await clock.settle(SETTLE_MS);
  const backends = stack.use(openBackends(config));
  const store = createOccurrenceStore(mongo.db);
  const loop = stack.use(startDueLoop({ ...config, store, backends, now: () => clock.now() }));
  const server = stack.use(
    await startGrpcServer({
      host: config.host,
      port: config.port,
      token: config.serviceToken,
      log,
      services: [occurrenceService({ store })],
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
        clock: () => void clock.now(),
        'due-loop'() {
          if (loop.healthySince() === undefined) throw new Error('due windows could not be read of late');
        },
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
