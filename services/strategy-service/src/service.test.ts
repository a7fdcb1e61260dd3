import { randomUUID } from 'node:crypto';
import { type PlanServiceServer, PlanServiceService } from '@tidemark/protocol/grpc/tidemark/strategy/v1/plan_service';
import {
  type SaveStrategyRequest,
  type StrategyServiceServer,
  StrategyServiceService,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import { type RunningStrategyService, startStrategyService } from './service.ts';

const ALL_DAYS = 'Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday';

describe('strategy-service', () => {
  const database = `test-${randomUUID()}`;
  const stack = new AsyncDisposableStack();
  let service: RunningStrategyService;
  let clusterId: string;

  beforeAll(async () => {
    service = stack.use(
      await startStrategyService(
        toConfig({
          TIDEMARK_PORT: '0',
          TIDEMARK_OPERATIONS_PORT: '0',
          TIDEMARK_MONGODB_URL: inject('mongodbUrl'),
          TIDEMARK_MONGODB_DATABASE: database,
          TIDEMARK_TIME_ZONE: 'Asia/Tokyo',
        }),
      ),
    );
    await vi.waitFor(
      async () => expect((await fetch(`http://127.0.0.1:${service.operationsPort}/readyz`)).status).toBe(200),
      { timeout: 20_000 },
    );
  });
  afterAll(async () => {
    await stack.disposeAsync();
    const mongo = new MongoClient(inject('mongodbUrl'));
    await mongo.db(database).dropDatabase();
    await mongo.close();
  });
  beforeEach(() => {
    clusterId = `c-${randomUUID().slice(0, 8)}`;
  });

  const options = () => ({ address: `127.0.0.1:${service.port}`, token: undefined });
  const strategies = () => stack.use(createServiceClient<StrategyServiceServer>(StrategyServiceService, options()));
  const plans = () => stack.use(createServiceClient<PlanServiceServer>(PlanServiceService, options()));
  const save = async (fields: Partial<SaveStrategyRequest>) => {
    const { strategy } = await strategies().saveStrategy({
      clusterId,
      rule: '',
      days: undefined,
      period: undefined,
      timeZone: undefined,
      paused: undefined,
      defaultTimeZone: '',
      ...fields,
    });
    if (!strategy) throw new Error('no strategy was answered');
    return strategy;
  };
  const openNow = () => {
    const hour = new Date().getUTCHours();
    return `${hour}:00-${hour}:00`;
  };
  const due = async () =>
    (await plans().listDueStrategies({ limit: 1_000 })).strategies.filter((one) => one.clusterId === clusterId);

  it('answers for a cluster without one that there are no days', async () => {
    const { strategy } = await strategies().getStrategy({ clusterId, rule: '' });
    expect(strategy).toMatchObject({
      clusterId,
      rule: 'default',
      days: [],
      period: '0:00-1:00',
      timeZone: 'Asia/Tokyo',
      revision: 0n,
    });
  });

  it('keeps the period as it was written and the days in the order given', async () => {
    expect(await save({ days: ' tuesday,Monday, tuesday', period: '07:00 - 9:30' })).toMatchObject({
      days: ['Tuesday', 'Monday'],
      period: '07:00-9:30',
      revision: 1n,
    });
  });

  it('keeps what a later save leaves out', async () => {
    await save({ days: 'Monday', period: '23:00-24:00', timeZone: 'Europe/Berlin' });
    expect(await save({ paused: true })).toMatchObject({
      days: ['Monday'],
      period: '23:00-24:00',
      timeZone: 'Europe/Berlin',
      paused: true,
      nextWindow: undefined,
    });
  });

  it('settles the time zone at the first save: the request’s, else the cluster’s, else the service’s', async () => {
    expect((await save({ days: 'Monday', defaultTimeZone: 'America/Lima' })).timeZone).toBe('America/Lima');
    expect((await save({ days: 'Tuesday', defaultTimeZone: 'Europe/Rome' })).timeZone).toBe('America/Lima');
  });

  it('names every bad field as the REST body calls it', async () => {
    await expect(save({ days: 'Monday,Funday', period: '7-9', timeZone: 'Mars/Phobos' })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: {
        fields: [
          { field: 'strategy.backupDate', description: expect.stringContaining('"Funday"') },
          { field: 'strategy.period' },
          { field: 'strategy.timeZone' },
        ],
      },
    });
  });

  it('makes a window that is open now due at once, and moves on when it is taken up', async () => {
    const strategy = await save({ days: ALL_DAYS, period: openNow(), timeZone: 'UTC' });
    const opensAt = strategy.nextWindow?.opensAt;
    expect(opensAt && opensAt <= new Date()).toBe(true);
    await vi.waitFor(async () => expect(await due()).toHaveLength(1));
    const request = { clusterId, rule: 'default', opensAt, revision: strategy.revision };
    const answers = await Promise.all(Array.from({ length: 5 }, () => plans().advanceStrategy(request)));
    expect(answers.filter(({ advanced }) => advanced)).toHaveLength(1);
    expect(await due()).toEqual([]);
    const { strategy: next } = await strategies().getStrategy({ clusterId, rule: '' });
    expect(next?.nextWindow?.opensAt && opensAt && next.nextWindow.opensAt > opensAt).toBe(true);
  });

  it('never starts anything by resuming', async () => {
    await save({ days: ALL_DAYS, period: openNow(), timeZone: 'UTC', paused: true });
    const resumed = await save({ paused: false });
    expect(resumed.nextWindow?.opensAt && resumed.nextWindow.opensAt > new Date()).toBe(true);
  });

  it('loses no change when many save at once', async () => {
    await Promise.all([
      save({ days: 'Monday' }),
      save({ period: '3:00-4:00' }),
      save({ timeZone: 'UTC' }),
      save({ paused: true }),
    ]);
    const { strategy } = await strategies().getStrategy({ clusterId, rule: '' });
    expect(strategy).toMatchObject({
      days: ['Monday'],
      period: '3:00-4:00',
      timeZone: 'UTC',
      paused: true,
      revision: 4n,
    });
  });

  it('forgets a strategy, and does not mind when there is none', async () => {
    await save({ days: 'Monday' });
    for (let times = 0; times < 2; times += 1) await strategies().deleteStrategy({ clusterId, rule: '' });
    expect((await strategies().getStrategy({ clusterId, rule: '' })).strategy?.days).toEqual([]);
  });
});
