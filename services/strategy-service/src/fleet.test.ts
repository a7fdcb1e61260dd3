/**
 * Strategies for labels, applied by two copies of the service at once. The promises F1 to F5 are those of `fleet-loop.ts`.
 */
import { randomUUID } from 'node:crypto';
import { openDatabase } from '@tidemark/mongo/database';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { type PlanServiceServer, PlanServiceService } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  SaveFleetStrategyRequest,
  SaveStrategyRequest,
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import { applyFleet, type FleetDependencies } from './fleet-loop.ts';
import { createFleetStore } from './fleet-store.ts';
import { storeLog } from './logger.ts';
import { createQuarantines } from './quarantines.ts';
import { type RunningStrategyService, startStrategyService } from './service.ts';
import { createStrategyStore } from './strategy-store.ts';
import { serveRegistry } from './testing/registry-peer.ts';

const ALL_DAYS = 'Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday';
const WAIT = { timeout: 15_000, interval: 50 };

describe('a strategy for labels', () => {
  const database = `test-${randomUUID()}`;
  const stack = new AsyncDisposableStack();
  const copies: RunningStrategyService[] = [];
  const signal = new AbortController().signal;
  let parts: FleetDependencies;

  beforeAll(async () => {
    const registry = stack.use(await serveRegistry());
    for (let copy = 0; copy < 2; copy += 1)
      copies.push(
        stack.use(
          await startStrategyService(
            toConfig({
              TIDEMARK_PORT: '0',
              TIDEMARK_OPERATIONS_PORT: '0',
              TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
              TIDEMARK_MONGODB_DATABASE: database,
              TIDEMARK_BACKUP_SERVICE: registry.address,
              TIDEMARK_TIME_ZONE: 'Asia/Tokyo',
            }),
          ),
        ),
      );
    for (const { operationsPort } of copies)
      await vi.waitFor(
        async () => expect((await fetch(`http://127.0.0.1:${operationsPort}/readyz`)).status).toBe(200),
        { timeout: 20_000 },
      );
    const own = stack.use(
      await openDatabase({ url: inject('mongodbUrl'), database, appName: 'test', log: storeLog }, []),
    );
    parts = {
      store: createStrategyStore(own.db),
      fleet: createFleetStore(own.db),
      now: own.now,
      timeZone: 'Asia/Tokyo',
      spreadMs: 0,
      quarantines: createQuarantines(),
    };
  });
  afterAll(async () => {
    await stack.disposeAsync();
    const mongo = new MongoClient(inject('mongodbUrl'));
    await dropTestDatabase(mongo.db(database));
    await mongo.close();
  });
  afterEach(async () => {
    const { fleetStrategies } = await strategies().listFleetStrategies({ pageToken: '' });
    for (const { name } of fleetStrategies) await strategies().deleteFleetStrategy({ name });
    await vi.waitFor(async () => expect(await parts.fleet.list(signal)).toEqual([]), WAIT);
  });

  const options = (copy: number) => ({ address: `127.0.0.1:${copies[copy]?.port}`, token: undefined });
  const strategies = (copy = 0) =>
    stack.use(createServiceClient<StrategyServiceServer>(StrategyServiceService, options(copy)));
  const plans = (copy = 0) => stack.use(createServiceClient<PlanServiceServer>(PlanServiceService, options(copy)));
  const note = async (clusters: Record<string, Record<string, string>>, timeZone = '') =>
    plans().noteClusters(
      {
        clusters: Object.entries(clusters).map(([clusterId, labels]) => ({ clusterId, labels, timeZone })),
        goneClusterIds: [],
        toldFor: [],
      },
      // Who notes many at once, as the scheduler does, is in no hurry.
      { timeoutMs: 30_000 },
    );
  const saveFleet = async (name: string, fields: Partial<SaveFleetStrategyRequest> = {}) => {
    const { fleetStrategy } = await strategies().saveFleetStrategy(
      SaveFleetStrategyRequest.create({ name, selector: { env: 'prod' }, days: ALL_DAYS, ...fields }),
    );
    await applied(name);
    return fleetStrategy;
  };
  const applied = (name: string) =>
    vi.waitFor(async () => {
      await allTold();
      expect((await strategies().getFleetStrategy({ name })).fleetStrategy?.applied).toBe(true);
    }, WAIT);
  /** As the scheduler does around a walk over all clusters that finds nothing new. */
  const allTold = async () => {
    const nobody = { clusters: [], goneClusterIds: [], toldFor: [] };
    const { waiting } = await plans().noteClusters(nobody);
    await plans().noteClusters({ ...nobody, toldFor: waiting });
  };
  const save = async (clusterId: string, fields: Partial<SaveStrategyRequest>) =>
    (await strategies(1).saveStrategy(SaveStrategyRequest.create({ clusterId, ...fields }))).strategy;
  const get = async (clusterId: string, rule = '') => (await strategies().getStrategy({ clusterId, rule })).strategy;
  const some = (count: number) => Array.from({ length: count }, () => `c-${randomUUID().slice(0, 8)}`);

  it('reaches the clusters that have its labels, in their zones, and tells how many', async () => {
    const [prod = '', dev = ''] = some(2);
    await note({ [prod]: { env: 'prod', 'odd.$label': 'x' }, [dev]: { env: 'dev' } }, 'Europe/Rome');
    await saveFleet('all-prod', { period: '1:00-2:00' });
    expect(await get(prod)).toMatchObject({
      fleetStrategy: 'all-prod',
      period: '1:00-2:00',
      timeZone: 'Europe/Rome',
      revision: 1n,
      nextWindow: { opensAt: expect.any(Date) },
    });
    expect((await get(dev))?.revision).toBe(0n);
    expect((await strategies().listFleetStrategies({ pageToken: '' })).fleetStrategies).toMatchObject([
      { name: 'all-prod', rule: 'default', selector: { env: 'prod' }, applied: true, clusters: 1 },
    ]);
  });

  it('is told as the rules that clusters have from it, where it is asked who of them writes to its storage', async () => {
    const [one = '', other = ''] = some(2);
    await note({ [one]: { env: 'prod' }, [other]: { env: 'prod' } });
    await saveFleet('all-prod', { storageId: 'shared' });
    const { users, total } = await strategies().listStorageUsers({ storageId: 'shared', clusterIds: [one] });
    expect(users).toEqual([{ clusterId: one, rule: 'default', fleetStrategy: 'all-prod' }]);
    expect(total).toBe(1);
  });

  it('is called applied only when all clusters that were registered before the save follow it', async () => {
    const registered = some(9);
    const saved = async () => (await strategies(1).getFleetStrategy({ name: 'all-prod' })).fleetStrategy;
    const save = SaveFleetStrategyRequest.create({ name: 'all-prod', selector: { env: 'new' }, days: ALL_DAYS });
    const { fleetStrategy } = await strategies().saveFleetStrategy(save);
    expect(fleetStrategy).toMatchObject({ applied: false, clusters: 0 });
    await vi.waitFor(async () => {
      const stored = await parts.fleet.get('all-prod', signal);
      expect(stored?.appliedRevision).toBe(stored?.revision);
    }, WAIT);
    expect(await saved()).toMatchObject({ applied: false, clusters: 0 });

    const { waiting } = await plans().noteClusters({ clusters: [], goneClusterIds: [], toldFor: [] });
    expect(waiting).toEqual([{ name: 'all-prod', revision: 1n }]);
    await note(Object.fromEntries(registered.map((id) => [id, { env: 'new' }])));
    expect(await saved()).toMatchObject({ applied: false, clusters: 9 });
    await plans().noteClusters({ clusters: [], goneClusterIds: [], toldFor: waiting });
    expect(await saved()).toMatchObject({ applied: true, clusters: 9 });

    // A save that came between is told of by the next walk.
    const again = await strategies().saveFleetStrategy({ ...save, paused: true });
    await plans().noteClusters({ clusters: [], goneClusterIds: [], toldFor: waiting });
    expect(again.fleetStrategy).toMatchObject({ revision: 2n, applied: false });
    await vi.waitFor(async () => expect((await parts.fleet.get('all-prod', signal))?.appliedRevision).toBe(2), WAIT);
    expect(await saved()).toMatchObject({ applied: false });
    await allTold();
    expect(await saved()).toMatchObject({ applied: true, clusters: 9 });
  });

  it('is no rule yet for who makes one of a cluster’s own, and is one for who edits it', async () => {
    const [id = ''] = some(1);
    await note({ [id]: { env: 'prod' } });
    await saveFleet('all-prod');
    await expect(save(id, { days: 'Friday', revision: 7n })).rejects.toMatchObject({ code: 'revision_changed' });
    expect(await save(id, { days: 'Friday', revision: 0n })).toMatchObject({ fleetStrategy: '', revision: 2n });
    await expect(save(id, { days: 'Friday', revision: 0n })).rejects.toMatchObject({ code: 'revision_changed' });
  });

  it('follows a cluster whose labels change, at once', async () => {
    const [id = ''] = some(1);
    await saveFleet('all-prod');
    expect(await note({ [id]: { env: 'prod' } })).toMatchObject({ changed: 1 });
    expect(await note({ [id]: { env: 'prod' } })).toMatchObject({ changed: 0 });
    expect((await get(id))?.fleetStrategy).toBe('all-prod');
    expect(await note({ [id]: { env: 'dev' } })).toMatchObject({ changed: 1 });
    expect((await get(id))?.revision).toBe(0n);
  });

  it('writes nothing when it is saved as it was', async () => {
    const [id = ''] = some(1);
    await note({ [id]: { env: 'prod' } });
    await saveFleet('all-prod', { period: '1:00-2:00' });
    const before = await get(id);
    await saveFleet('all-prod', { period: '1:00-2:00' });
    expect(await get(id)).toEqual(before);
  });

  it('makes nothing due, though its window is open now, and moves on like any other', async () => {
    const [id = ''] = some(1);
    await note({ [id]: { env: 'prod' } });
    await saveFleet('all-prod', { period: '0:00-24:00' });
    const opensAt = (await get(id))?.nextWindow?.opensAt;
    expect(opensAt && opensAt > new Date()).toBe(true);
    expect((await plans().listDueStrategies({ limit: 1_000 })).strategies).toEqual([]);
  });

  it('keeps a cluster’s own pause when it is saved again, and pauses all by its own without losing that', async () => {
    const [held = '', free = ''] = some(2);
    await note({ [held]: { env: 'prod' }, [free]: { env: 'prod' } });
    await saveFleet('all-prod');
    expect(await save(held, { paused: true })).toMatchObject({ paused: true, fleetStrategy: 'all-prod' });
    await saveFleet('all-prod', { period: '4:00-5:00', paused: true });
    expect(await get(held)).toMatchObject({ paused: true, fleetPaused: true, period: '4:00-5:00' });
    expect(await get(free)).toMatchObject({ paused: false, fleetPaused: true });
    expect((await get(free))?.nextWindow).toBeUndefined();
    await saveFleet('all-prod', { paused: false });
    expect(await get(held)).toMatchObject({ paused: true, fleetPaused: false });
    expect((await get(free))?.nextWindow?.opensAt?.getTime()).toBeGreaterThan(Date.now());
  });

  it('makes way for the cluster’s own rule, which begins with what it had, and takes its place again at once', async () => {
    const [id = ''] = some(1);
    await note({ [id]: { env: 'prod' } });
    await saveFleet('all-prod', { period: '1:00-2:00', storageId: 's3' });
    await expect(strategies().deleteStrategy({ clusterId: id, rule: 'default' })).rejects.toMatchObject({
      code: 'strategy_inherited',
      message: expect.stringContaining('pause it'),
    });
    expect(await save(id, { period: '6:00-7:00' })).toMatchObject({
      fleetStrategy: '',
      period: '6:00-7:00',
      storageId: 's3',
      days: ALL_DAYS.split(','),
    });
    await saveFleet('all-prod', { period: '2:00-3:00' });
    expect((await get(id))?.period).toBe('6:00-7:00');
    await strategies().deleteStrategy({ clusterId: id, rule: 'default' });
    expect(await get(id)).toMatchObject({ fleetStrategy: 'all-prod', period: '2:00-3:00' });
  });

  it('stays paused for a cluster that makes the rule its own while all are paused', async () => {
    const [id = ''] = some(1);
    await note({ [id]: { env: 'prod' } });
    await saveFleet('all-prod', { paused: true });
    const own = await save(id, { storageId: 's3' });
    expect(own).toMatchObject({ fleetStrategy: '', paused: true, fleetPaused: false });
    expect(own?.nextWindow).toBeUndefined();
  });

  it('gives way to one of higher priority, and comes back when that is deleted', async () => {
    const [id = ''] = some(1);
    await note({ [id]: { env: 'prod', tier: '1' } });
    await saveFleet('all-prod');
    await saveFleet('tier-1', { selector: { tier: '1' }, priority: 10 });
    expect((await get(id))?.fleetStrategy).toBe('tier-1');
    await strategies().deleteFleetStrategy({ name: 'tier-1' });
    await vi.waitFor(async () => expect((await get(id))?.fleetStrategy).toBe('all-prod'), WAIT);
  });

  it('takes its rules with it when it is deleted, also of clusters that nobody knows any more', async () => {
    const [id = '', gone = ''] = some(2);
    await note({ [id]: { env: 'prod' }, [gone]: { env: 'prod' } });
    await save(id, { rule: 'mine', days: 'Monday' });
    await saveFleet('all-prod');
    await parts.fleet.removeCluster(gone);
    await strategies().deleteFleetStrategy({ name: 'all-prod' });
    await expect(strategies().getFleetStrategy({ name: 'all-prod' })).rejects.toMatchObject({
      code: 'strategy_not_found',
    });
    await vi.waitFor(async () => expect(await parts.fleet.list(signal)).toEqual([]), WAIT);
    expect((await parts.store.ofClusters([id, gone], signal)).map(({ rule }) => rule)).toEqual(['mine']);
  });

  it('that is not there is told as such to who would delete it', async () => {
    const unknown = strategies().deleteFleetStrategy({ name: 'all-prod' });
    await expect(unknown).rejects.toMatchObject({
      code: 'strategy_not_found',
      details: { info: { name: 'all-prod' } },
    });
  });

  it('is forgotten for a cluster with everything else of it', async () => {
    const [id = ''] = some(1);
    await note({ [id]: { env: 'prod' } });
    await saveFleet('all-prod');
    await save(id, { rule: 'mine', days: 'Monday' });
    await strategies().deleteStrategy({ clusterId: id, rule: '' });
    await saveFleet('all-prod', { period: '9:00-10:00' });
    expect(await parts.store.ofClusters([id], signal)).toEqual([]);
  });

  it('comes to the same when copies apply, save and label at once (F1, F2, F3)', async () => {
    const ids = some(60);
    const labelsOf = (index: number) => ({ wide: index % 3 === 0 ? 'no' : 'yes' });
    await Promise.all([
      note(Object.fromEntries(ids.map((id, index) => [id, labelsOf(index)]))),
      ...Array.from({ length: 6 }, (_, index) =>
        strategies(index % 2).saveFleetStrategy(
          SaveFleetStrategyRequest.create({
            name: `f${index % 3}`,
            selector: { wide: 'yes' },
            days: ALL_DAYS,
            priority: index % 3,
            period: `${index}:00-${index + 1}:00`,
          }),
        ),
      ),
      ...[1, 2, 3].map(() => applyFleet(parts, signal, true)),
    ]);
    for (const name of ['f0', 'f1', 'f2']) await applied(name);
    const winner = (await strategies().getFleetStrategy({ name: 'f2' })).fleetStrategy;
    const rules = await parts.store.ofClusters(ids, signal);
    const wanted = ids.filter((_, index) => index % 3 !== 0);
    expect(rules.map(({ clusterId }) => clusterId).sort()).toEqual(wanted.sort());
    for (const { fleetStrategy, period } of rules) expect([fleetStrategy, period]).toEqual(['f2', winner?.period]);
    expect(winner?.clusters).toBe(wanted.length);
  });

  it('is made up for where a copy died between hearing of labels and deriving (F4)', async () => {
    const [id = ''] = some(1);
    await saveFleet('all-prod');
    await parts.fleet.putClusters([
      { _id: id, labels: [{ name: 'env', value: 'prod' }], timeZone: '', pending: 'dead-copy' },
    ]);
    await vi.waitFor(async () => expect((await get(id))?.fleetStrategy).toBe('all-prod'), WAIT);
    await vi.waitFor(async () => expect(await parts.fleet.pendingClusters(10, signal)).toEqual([]), WAIT);
  });

  it('is mended by looking over everything, whatever a frozen copy left behind (F5)', async () => {
    const [id = '', nobody = ''] = some(2);
    await note({ [id]: { env: 'prod' } });
    await saveFleet('all-prod');
    const [rule] = await parts.store.ofClusters([id], signal);
    if (!rule) throw new Error('the cluster has no rule');
    await parts.store.write(rule, { ...rule, period: '9:00-9:30', revision: 7 });
    await parts.store.write(undefined, { ...rule, _id: `${nobody}:default`, clusterId: nobody });
    await applyFleet(parts, signal, true);
    expect(await get(id)).toMatchObject({ period: '0:00-1:00', revision: 8n });
    expect(await parts.store.ofClusters([nobody], signal)).toEqual([]);
  });

  it.each([
    [{ selector: {} }, 'strategy.selector', '{"env":"prod"}'],
    [{ selector: { env: 'x'.repeat(257) } }, 'strategy.selector.env', '{"env":"prod"}'],
    [{ priority: 1_000_001 }, 'priority', 'such as 10'],
    [{ rule: 'no rule' }, 'rule', 'such as nightly'],
    [{ timeZone: '+08:00' }, 'strategy.timeZone', 'Asia/Shanghai'],
    [{ days: 'Moonday' }, 'strategy.backupDate', 'Monday,Friday'],
  ])('is not saved from %j, which names the field and shows a right value', async (fields, field, right) => {
    const request = SaveFleetStrategyRequest.create({
      name: 'bad',
      selector: { env: 'prod' },
      days: ALL_DAYS,
      ...fields,
    });
    await expect(strategies().saveFleetStrategy(request)).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { fields: [{ field, description: expect.stringContaining(right) }] },
    });
    expect(await parts.fleet.list(signal)).toEqual([]);
  });

  it('is told all fields at once that break a rule of the protos, and then all that mean nothing', async () => {
    const bad = { name: 'bad', days: 'x', period: '7', timeZone: '?' };
    const save = (fields: object) => strategies().saveFleetStrategy(SaveFleetStrategyRequest.create(fields));
    await expect(save({ ...bad, priority: 1e7, rule: '?' })).rejects.toMatchObject({
      details: { fields: [{ field: 'priority' }, { field: 'rule' }] },
    });
    await expect(save(bad)).rejects.toMatchObject({
      details: { fields: ['backupDate', 'period', 'timeZone'].map((field) => ({ field: `strategy.${field}` })) },
    });
  });

  it('keeps the rule that it was first saved with, and begins anew when it is saved while it goes', async () => {
    await saveFleet('all-prod', { rule: 'nightly', storageId: 's3' });
    await expect(saveFleet('all-prod', { rule: 'default' })).rejects.toThrow('settled as "nightly"');
    await strategies().deleteFleetStrategy({ name: 'all-prod' });
    expect(await saveFleet('all-prod', { rule: 'weekly' })).toMatchObject({ rule: 'weekly', storageId: '' });
  });

  it('lose their rules from strategies for labels when they are registered no longer, and keep their own', async () => {
    await note({ 'gone-a': { env: 'prod' } });
    await saveFleet('nightly');
    await strategies().saveStrategy(
      SaveStrategyRequest.create({ clusterId: 'gone-a', rule: 'weekly', days: 'Sunday' }),
    );
    await plans().noteClusters({ clusters: [], goneClusterIds: ['gone-a'], toldFor: [] });
    const page = { clusterIds: ['gone-a'], withRetention: false, pageSize: 10, pageToken: '', updatedAfter: undefined };
    const { strategies: left } = await strategies().listStrategies(page);
    expect(left.map(({ rule }) => rule)).toEqual(['weekly']);
  });
});
