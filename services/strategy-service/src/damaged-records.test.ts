/** One damaged record among good ones: the others are planned and told as if it were not there. */
import { randomUUID } from 'node:crypto';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import {
  NoteClustersRequest,
  type PlanServiceServer,
  PlanServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  ListStrategiesRequest,
  SaveFleetStrategyRequest,
  SaveStrategyRequest,
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient, type ServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import { startStrategyService } from './service.ts';
import type { StrategyDocument } from './strategy.ts';
import { serveRegistry } from './testing/registry-peer.ts';

const ALL_DAYS = 'Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday';
const WAIT = { timeout: 20_000, interval: 50 };

describe('a damaged rule', () => {
  const database = `test-${randomUUID()}`;
  const stack = new AsyncDisposableStack();
  const mongo = new MongoClient(inject('mongodbUrl'));
  const documents = mongo.db(database).collection<StrategyDocument>('strategies');
  let strategies: ServiceClient<StrategyServiceServer>;
  let plans: ServiceClient<PlanServiceServer>;
  let ids: string[];

  beforeAll(async () => {
    stack.defer(async () => {
      await dropTestDatabase(mongo.db(database));
      await mongo.close();
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
    const options = { address: `127.0.0.1:${service.port}`, token: undefined };
    strategies = stack.use(createServiceClient<StrategyServiceServer>(StrategyServiceService, options));
    plans = stack.use(createServiceClient<PlanServiceServer>(PlanServiceService, options));
  });
  afterAll(() => stack.disposeAsync());
  beforeEach(async () => {
    await documents.deleteMany({});
    ids = Array.from({ length: 3 }, (_, at) => `c${at}-${randomUUID().slice(0, 8)}`);
    for (const clusterId of ids)
      await strategies.saveStrategy(
        SaveStrategyRequest.create({ clusterId, days: ALL_DAYS, period: '0:00-0:00', timeZone: 'UTC' }),
      );
    await documents.updateMany({}, { $set: { 'nextWindow.startAt': new Date('2026-01-01T00:00:00Z') } });
  });

  const damage = (clusterId: string, fields: object) => documents.updateOne({ clusterId }, { $set: fields });
  const due = async () => (await plans.listDueStrategies({ limit: 10 })).strategies;
  const names = (some: readonly { clusterId: string }[]) => some.map(({ clusterId }) => clusterId).sort();

  it('that cannot be planned keeps no other from being advanced', async () => {
    await damage(ids[0] ?? '', { timeZone: 'Mars/Olympus_Mons' });
    const found = await due();
    expect(names(found)).toEqual(ids);
    const advance = async (clusterId: string | undefined) => {
      const one = found.find((strategy) => strategy.clusterId === clusterId);
      const { rule = '', revision = 0n, nextWindow } = one ?? {};
      return plans.advanceStrategy({ clusterId: clusterId ?? '', rule, revision, opensAt: nextWindow?.opensAt });
    };
    await expect(advance(ids[0])).rejects.toMatchObject({ code: 'internal' });
    expect(await advance(ids[1])).toMatchObject({ advanced: true });
  });

  it.each([
    ['days', { days: 5 }],
    ['updateTime', { updateTime: 'never' }],
    ['nextWindow.opensAt', { 'nextWindow.opensAt': 'soon' }],
  ])(
    'whose %s cannot be read is left out of what is due, listed and scanned; alone it is an internal error',
    async (_, fields) => {
      const [bad = '', ...good] = ids;
      await damage(bad, fields);
      expect(names(await due())).toEqual(good);
      const listed: string[] = [];
      for (let pageToken = ''; ; ) {
        const page = await strategies.listStrategies(ListStrategiesRequest.create({ pageSize: 1, pageToken }));
        listed.push(...names(page.strategies));
        pageToken = page.nextPageToken;
        if (pageToken === '') break;
      }
      expect(listed).toEqual(good);
      const scanned: string[] = [];
      for await (const page of plans.scanStrategies({})) scanned.push(...names(page.strategies));
      expect(scanned.sort()).toEqual(good);
      await expect(strategies.getStrategy({ clusterId: bad, rule: '' })).rejects.toMatchObject({ code: 'internal' });
    },
  );

  it('of which there are more than are asked for hides none that is due', async () => {
    const [bad = ''] = ids;
    await damage(bad, { days: 5, 'nextWindow.startAt': new Date('2025-01-01T00:00:00Z') });
    const { _id, ...rest } = (await documents.findOne({ clusterId: bad })) as StrategyDocument;
    await documents.insertMany(Array.from({ length: 30 }, (_, at) => ({ ...rest, _id: `${_id}-${at}` })));
    await vi.waitFor(async () => expect(names(await due())).toEqual(ids.slice(1)), WAIT);
  });

  it('for labels is applied to no cluster, takes none of its rules away, and keeps no other from being applied', async () => {
    const label = randomUUID();
    const save = (name: string) =>
      strategies.saveFleetStrategy(
        SaveFleetStrategyRequest.create({ name, rule: name, selector: { team: label }, days: ALL_DAYS }),
      );
    await save('sound');
    await save('broken');
    const told = (clusterId: string) => ({ clusterId, labels: { team: label }, timeZone: 'UTC' });
    await plans.noteClusters(NoteClustersRequest.create({ clusters: [told('old')] }));
    const rulesOf = async (clusterId: string) =>
      (await documents.find({ clusterId }).toArray()).map(({ rule }) => rule);
    await vi.waitFor(async () => expect((await rulesOf('old')).sort()).toEqual(['broken', 'sound']), WAIT);
    await mongo
      .db(database)
      .collection('fleet_strategies')
      .updateOne({ rule: 'broken' }, { $unset: { selector: '' } });
    await plans.noteClusters(NoteClustersRequest.create({ clusters: [told('new'), told('old')] }));
    expect(await rulesOf('new')).toEqual(['sound']);
    expect((await rulesOf('old')).sort()).toEqual(['broken', 'sound']);
    const { fleetStrategies } = await strategies.listFleetStrategies({ pageToken: '' });
    expect(fleetStrategies.map(({ name }) => name)).toEqual(['sound']);
    await expect(strategies.getFleetStrategy({ name: 'broken' })).rejects.toMatchObject({ code: 'internal' });
  });
});
