/** Rules that an older version let become too large for one message: told in pieces, whole, and each rule once. */
import { randomUUID } from 'node:crypto';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { type PlanServiceServer, PlanServiceService } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  ListStrategiesRequest,
  SaveFleetStrategyRequest,
  SaveStrategyRequest,
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, inject, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import type { FleetStrategyDocument } from './fleet-strategy.ts';
import { startStrategyService } from './service.ts';
import type { StrategyDocument } from './strategy.ts';
import { serveRegistry } from './testing/registry-peer.ts';

const RULES = 80;
const LARGE = {
  rateLimit: 0,
  concurrency: 0,
  compression: '',
  filters: Array.from({ length: 100 }, () => `${'ä'.repeat(500)}.*`),
  crypterMethod: '',
  crypterKeyFile: '',
  extra: {},
};
const database = `test-${randomUUID()}`;
const stack = new AsyncDisposableStack();
let address: string;
const strategies = () =>
  stack.use(createServiceClient<StrategyServiceServer>(StrategyServiceService, { address, token: undefined }));
const plans = () =>
  stack.use(createServiceClient<PlanServiceServer>(PlanServiceService, { address, token: undefined }));

beforeAll(async () => {
  const mongo = stack.adopt(new MongoClient(inject('mongodbUrl')), async (client) => {
    await dropTestDatabase(client.db(database));
    await client.close();
  });
  const registry = stack.use(await serveRegistry());
  const service = stack.use(
    await startStrategyService(
      toConfig({
        TIDEMARK_PORT: '0',
        TIDEMARK_OPERATIONS_PORT: '0',
        TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
        TIDEMARK_MONGODB_DATABASE: database,
        TIDEMARK_BACKUP_SERVICE: registry.address,
      }),
    ),
  );
  await vi.waitFor(
    async () => expect((await fetch(`http://127.0.0.1:${service.operationsPort}/readyz`)).status).toBe(200),
    { timeout: 20_000 },
  );
  address = `127.0.0.1:${service.port}`;
  const { strategy } = await strategies().saveStrategy(
    SaveStrategyRequest.create({ clusterId: 'sample', days: 'Monday', timeZone: 'UTC' }),
  );
  await strategies().saveFleetStrategy(
    SaveFleetStrategyRequest.create({ name: 'sample', selector: { env: 'none' }, days: 'Monday' }),
  );
  const rules = mongo.db(database).collection<StrategyDocument>('strategies');
  const fleet = mongo.db(database).collection<FleetStrategyDocument>('fleet_strategies');
  const rule = await rules.findOne({ clusterId: 'sample' });
  const forLabels = await fleet.findOne({ _id: 'sample' });
  if (!rule || !forLabels || !strategy) throw new Error('nothing was saved');
  await rules.deleteMany({});
  // All of one instant, and due.
  const at = new Date('2026-01-01T00:00:00Z');
  const window = { opensAt: at, closesAt: at, startAt: at };
  await rules.insertMany(
    Array.from({ length: RULES }, (_, index) => {
      const clusterId = `cluster-${String(index).padStart(3, '0')}`;
      return { ...rule, _id: `${clusterId}:default`, clusterId, updateTime: at, nextWindow: window, brOptions: LARGE };
    }),
  );
  await fleet.insertMany(
    Array.from({ length: RULES }, (_, index) => ({
      ...forLabels,
      _id: `strategy-${String(index).padStart(3, '0')}`,
      brOptions: LARGE,
    })),
  );
});
afterAll(() => stack.disposeAsync());

const all = Array.from({ length: RULES }, (_, index) => `cluster-${String(index).padStart(3, '0')}`);

it.each([
  ['of the whole fleet', {}],
  ['of clusters by name', { clusterIds: all }],
  ['that changed at one instant', { updatedAfter: new Date('2025-12-31T23:59:59Z') }],
])('rules %s are listed whole, each once', async (_, fields) => {
  const found: string[] = [];
  let pieces = 0;
  for (let pageToken = ''; pieces === 0 || pageToken !== ''; pieces += 1) {
    const page = await strategies().listStrategies(
      ListStrategiesRequest.create({ pageSize: 1_000, pageToken, ...fields }),
    );
    found.push(...page.strategies.map(({ clusterId }) => clusterId));
    pageToken = page.nextPageToken;
  }
  expect(pieces).toBeGreaterThan(1);
  expect(found).toEqual(all);
});

it('rules are scanned whole, and those that are due are told in pieces', async () => {
  const scanned: string[] = [];
  for await (const page of plans().scanStrategies({}))
    scanned.push(...page.strategies.map(({ clusterId }) => clusterId));
  expect(scanned.sort()).toEqual(all);
  const due = await plans().listDueStrategies({ limit: 1_000 });
  expect(due.strategies.length).toBeGreaterThan(0);
  expect(due.strategies.length).toBeLessThan(RULES);
  expect(due.more).toBe(true);
});

it('strategies for labels are listed whole, and can be deleted', async () => {
  const names: string[] = [];
  let pieces = 0;
  for (let pageToken = ''; pieces === 0 || pageToken !== ''; pieces += 1) {
    const page = await strategies().listFleetStrategies({ pageToken });
    names.push(...page.fleetStrategies.map(({ name }) => name));
    pageToken = page.nextPageToken;
  }
  expect(pieces).toBeGreaterThan(1);
  expect(names).toHaveLength(RULES + 1);
  expect(new Set(names).size).toBe(RULES + 1);
  await strategies().deleteFleetStrategy({ name: 'strategy-000' });
});
