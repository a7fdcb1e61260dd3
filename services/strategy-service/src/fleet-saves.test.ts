/** Saves of strategies for labels: dry runs, revisions, and an answer that is lost. */
import { randomUUID } from 'node:crypto';
import { SaveFleetStrategyRequest } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { MongoNetworkError } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createFleetStore } from './fleet-store.ts';
import { runningService, type TestService } from './testing/running-service.ts';

let service: TestService;
let clusterId: string;
beforeAll(async () => {
  service = await runningService();
});
afterAll(() => service[Symbol.asyncDispose]());
beforeEach(() => {
  clusterId = `c-${randomUUID().slice(0, 8)}`;
});

describe('a save of a strategy for labels', () => {
  const name = () => `of-${clusterId}`;
  const saveFleet = async (fields: Partial<SaveFleetStrategyRequest>) => {
    const request = SaveFleetStrategyRequest.create({ name: name(), ...fields });
    return (await service.strategies.saveFleetStrategy(request)).fleetStrategy;
  };
  const stored = async () => (await service.strategies.getFleetStrategy({ name: name() })).fleetStrategy;
  const NONE = { code: 'strategy_not_found' };
  const wrong = (field: string) => ({ details: { fields: [{ field }] } });

  it('is answered by a dry run, which stores nothing', async () => {
    const dryRun = (fields: Partial<SaveFleetStrategyRequest>) => saveFleet({ validateOnly: true, ...fields });
    const selector = { only: clusterId };
    expect(await dryRun({ selector, days: ' friday', period: '1:00-2:00' })).toMatchObject({
      ...{ name: name(), days: ['Friday'], revision: 1n, clusters: 0 },
    });
    await expect(dryRun({ days: 'Friday' })).rejects.toMatchObject(wrong('strategy.selector'));
    await expect(stored()).rejects.toMatchObject(NONE);
    await saveFleet({ selector, days: 'Monday' });
    expect(await dryRun({ priority: 3 })).toMatchObject({ priority: 3, revision: 2n, days: ['Monday'] });
    await expect(dryRun({ rule: 'nightly' })).rejects.toMatchObject(wrong('strategy.rule'));
    expect(await stored()).toMatchObject({ priority: 0, revision: 1n });
  });

  it('is told what is wrong with its fields before its storage is looked for, which must be there', async () => {
    service.registry.closed.add('gone');
    const save = (fields: Partial<SaveFleetStrategyRequest>) => saveFleet({ storageId: 'gone', ...fields });
    const selector = { only: clusterId };
    await expect(save({ selector, days: 'Fryday' })).rejects.toMatchObject(wrong('strategy.backupDate'));
    await expect(save({ days: 'Friday' })).rejects.toMatchObject(wrong('strategy.selector'));
    await expect(save({ selector })).rejects.toMatchObject({ code: 'storage_not_found' });
    await expect(stored()).rejects.toMatchObject(NONE);
  });

  it('holds for the revision that it names: of two that edit one state, one is told', async () => {
    const both = (revision: bigint) => {
      const saves = [1, 2].map((priority) => saveFleet({ selector: { only: clusterId }, priority, revision }));
      return Promise.allSettled(saves);
    };
    for (const revision of [0n, 1n]) {
      const outcomes = await both(revision);
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'revision_changed', details: { info: { revision: String(revision + 1n) } } },
      });
    }
    const late = { revision: 1n, validateOnly: true };
    await expect(saveFleet(late)).rejects.toMatchObject({ code: 'revision_changed' });
    expect((await saveFleet({ revision: 2n }))?.revision).toBe(3n);
  });

  it('is done once where the database took it and its answer was lost', async () => {
    await saveFleet({ selector: { only: clusterId } });
    const { db } = service;
    const collection = (wanted: string) => {
      const real = db.collection(wanted);
      const updateOne = async (...update: Parameters<typeof real.updateOne>) => {
        await real.updateOne(...update);
        throw new MongoNetworkError('The connection broke off.');
      };
      return Object.assign(Object.create(real), { updateOne }) as typeof real;
    };
    let asked = 0;
    const changed = await createFleetStore(Object.assign(Object.create(db), { collection })).change(
      name(),
      (before) => {
        asked += 1;
        return before && { ...before, priority: 7, revision: before.revision + 1, savedIn: 'this call' };
      },
      AbortSignal.timeout(30_000),
    );
    expect([asked, changed]).toMatchObject([1, { priority: 7, revision: 2 }]);
    expect(await stored()).toMatchObject({ priority: 7, revision: 2n });
  });
});
