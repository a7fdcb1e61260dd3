import { openDatabase } from '@tidemark/mongo/database';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { openBackends } from './backends.ts';
import type { SchedulerConfig } from './config.ts';
import { startDueLoop } from './due-loop.ts';
import { log, storeLog } from './logger.ts';
import { createOccurrenceStore, OCCURRENCE_INDEXES } from './occurrence-store.ts';
import { occurrenceService } from './rpc/occurrence-service.ts';

const NAME = 'scheduler-service';

export interface RunningScheduler extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/** Starts scheduler-service; any number of copies may run, and there is no leader among them. */
export async function startScheduler(config: SchedulerConfig): Promise<RunningScheduler> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(
    await openDatabase(
      { url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog },
      OCCURRENCE_INDEXES,
    ),
  );
  const backends = stack.use(openBackends(config));
  const store = createOccurrenceStore(database.db);
  const loop = stack.use(startDueLoop({ ...config, store, backends, now: database.now }));
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
        ...database.checks,
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
