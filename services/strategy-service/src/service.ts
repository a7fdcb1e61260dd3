import { startDatabaseClock } from '@tidemark/mongo/clock';
import { connectMongo } from '@tidemark/mongo/connection';
import { startIndexing } from '@tidemark/mongo/indexes';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import type { StrategyServiceConfig } from './config.ts';
import { log, storeLog } from './logger.ts';
import type { Dependencies } from './rpc/context.ts';
import { planService } from './rpc/plan-service.ts';
import { strategyService } from './rpc/strategy-service.ts';
import { createStrategyStore, STRATEGY_INDEXES } from './strategy-store.ts';

const NAME = 'strategy-service';
/** Spares a start beside a database that is up the warning that it was not reached yet. */
const SETTLE_MS = 1_500;

export interface RunningStrategyService extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/** Starts strategy-service, whether or not the database is there yet. */
export async function startStrategyService(config: StrategyServiceConfig): Promise<RunningStrategyService> {
  await using stack = new AsyncDisposableStack();
  const mongo = stack.use(
    connectMongo({ url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog }),
  );
  const indexes = stack.use(startIndexing(mongo.db, STRATEGY_INDEXES, { log: storeLog }));
  const clock = stack.use(startDatabaseClock(mongo, { log: storeLog }));
  await clock.settle(SETTLE_MS);
  const dependencies: Dependencies = {
    store: createStrategyStore(mongo.db),
    now: () => clock.now(),
    timeZone: config.timeZone,
    spreadMs: config.spreadMs,
  };
  const server = stack.use(
    await startGrpcServer({
      host: config.host,
      port: config.port,
      token: config.serviceToken,
      log,
      services: [strategyService(dependencies), planService(dependencies)],
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
