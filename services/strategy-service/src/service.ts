import { openDatabase } from '@tidemark/mongo/database';
import {
  type RegistryServiceServer,
  RegistryServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { openTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import type { StrategyServiceConfig } from './config.ts';
import { type FleetDependencies, startFleetLoop } from './fleet-loop.ts';
import { createFleetStore, FLEET_INDEXES } from './fleet-store.ts';
import { createKnownClusters } from './known-clusters.ts';
import { log, storeLog } from './logger.ts';
import { createQuarantines } from './quarantines.ts';
import { createQuotaStore } from './quota-store.ts';
import type { Dependencies } from './rpc/context.ts';
import { planService } from './rpc/plan-service.ts';
import { strategyService } from './rpc/strategy-service.ts';
import { createStrategyStore, STRATEGY_INDEXES } from './strategy-store.ts';

const NAME = 'strategy-service';

export interface RunningStrategyService extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/** Starts strategy-service, whether or not the database is there yet. */
export async function startStrategyService(config: StrategyServiceConfig): Promise<RunningStrategyService> {
  await using stack = new AsyncDisposableStack();
  const certificate = stack.use(openTransportSecurity(config, { log }));
  const database = stack.use(
    await openDatabase({ url: config.mongodbUrl, database: config.mongodbDatabase, appName: NAME, log: storeLog }, [
      ...STRATEGY_INDEXES,
      ...FLEET_INDEXES,
    ]),
  );
  const { host, port } = config.backupService;
  const registry = stack.use(
    createServiceClient<RegistryServiceServer>(RegistryServiceService, {
      address: `${host}:${port}`,
      token: config.serviceToken,
      certificate,
    }),
  );
  const parts: FleetDependencies = {
    store: createStrategyStore(database.db),
    fleet: createFleetStore(database.db),
    now: database.now,
    timeZone: config.timeZone,
    spreadMs: config.spreadMs,
    quarantines: createQuarantines(),
  };
  const fleetLoop = stack.use(startFleetLoop(parts));
  const dependencies: Dependencies = {
    ...parts,
    registry,
    clusters: createKnownClusters({ db: database.db, registry, store: parts.store, now: database.now }),
    quotas: createQuotaStore(database.db, database.now),
    wakeFleetLoop: () => fleetLoop.wake(),
  };
  const server = stack.use(
    await startGrpcServer({
      host: config.host,
      port: config.port,
      admission: config.admission,
      ready: database.checks,
      beforeCalls: database.guarded,
      token: config.serviceToken,
      certificate,
      log,
      services: [strategyService(dependencies), planService(dependencies)],
    }),
  );
  const operations = stack.use(
    await startOperationsListener({
      host: config.operationsHost,
      port: config.operationsPort,
      log,
      ready: database.checks,
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
