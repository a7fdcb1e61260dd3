/** strategy-service over the real database, with a database and a registry of its own. */
import { randomUUID } from 'node:crypto';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { type PlanServiceServer, PlanServiceService } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { type Db, MongoClient } from 'mongodb';
import { expect, inject, vi } from 'vitest';
import { toConfig } from '../config.ts';
import { startStrategyService } from '../service.ts';
import { type RegistryPeer, serveRegistry } from './registry-peer.ts';

type Client<Server> = ReturnType<typeof createServiceClient<Server>>;

export interface TestService extends AsyncDisposable {
  readonly strategies: Client<StrategyServiceServer>;
  readonly plans: Client<PlanServiceServer>;
  readonly registry: RegistryPeer;
  readonly db: Db;
}

/** Starts it, and waits until it is ready. */
export async function runningService(): Promise<TestService> {
  await using starting = new AsyncDisposableStack();
  const mongo = starting.adopt(new MongoClient(inject('mongodbUrl')), (client) => client.close());
  const db = mongo.db(`test-${randomUUID()}`);
  starting.defer(() => dropTestDatabase(db));
  const registry = starting.use(await serveRegistry());
  const { port, operationsPort } = starting.use(
    await startStrategyService(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: db.databaseName,
        TIDEMARK_BACKUP_SERVICE: registry.address,
        TIDEMARK_TIME_ZONE: 'Asia/Tokyo',
      }),
    ),
  );
  await vi.waitFor(async () => expect((await fetch(`http://127.0.0.1:${operationsPort}/readyz`)).status).toBe(200));
  const options = { address: `127.0.0.1:${port}`, token: undefined };
  const strategies = starting.use(createServiceClient<StrategyServiceServer>(StrategyServiceService, options));
  const plans = starting.use(createServiceClient<PlanServiceServer>(PlanServiceService, options));
  const stack = starting.move();
  return { strategies, plans, registry, db, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
