/** What is found of strategies by the beginning of a name. */
import { randomUUID } from 'node:crypto';
import {
  SaveFleetStrategyRequest,
  SaveStrategyRequest,
  SearchStrategiesRequest,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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

const save = (fields: Partial<SaveStrategyRequest>) =>
  service.strategies.saveStrategy(SaveStrategyRequest.create({ clusterId, ...fields }));
const search = (text: string, fields: Partial<SearchStrategiesRequest> = {}) =>
  service.strategies.searchStrategies(SearchStrategiesRequest.create({ text, ...fields }));

describe('searching', () => {
  it('finds rules and strategies for labels by the beginning of their names, what is the text itself first', async () => {
    const days = 'Monday';
    await save({ rule: 'dusk', days, period: '1:00-2:00' });
    await save({ rule: 'dusk-2', days, period: '2:00-3:00', paused: true });
    await save({ rule: 'default', days });
    const fleet = { name: 'dusk-all', selector: { env: 'prod' }, days, period: '3:00-4:00' };
    await service.strategies.saveFleetStrategy(SaveFleetStrategyRequest.create(fleet));

    const { hits, more } = await search('dusk', { withFleetStrategies: true });
    expect(hits.map(({ id, clusterId, title, exact }) => [id, clusterId, title, exact])).toEqual([
      ['dusk-all', '', 'Monday 3:00-4:00, for env=prod', false],
      ['dusk', clusterId, 'Monday 1:00-2:00', true],
      ['dusk-2', clusterId, 'Monday 2:00-3:00, paused', false],
    ]);
    expect(more).toBe(false);
    const idsOf = async (...asked: Parameters<typeof search>) => (await search(...asked)).hits.map(({ id }) => id);
    expect(await idsOf('dusk', { clusterIds: [clusterId] })).toEqual(['dusk', 'dusk-2']);
    expect(await idsOf('dusk', { clusterIds: ['another'] })).toEqual([]);
    for (const text of ['de', 'default'])
      for (const clusterIds of [[], [clusterId]]) expect(await idsOf(text, { clusterIds })).toEqual([]);
    for (const text of ['.*', '$ne', 'dusk$']) expect(await idsOf(text, { withFleetStrategies: true })).toEqual([]);
    await service.strategies.deleteFleetStrategy({ name: fleet.name });
  });

  it('leaves out a rule that cannot be read', async () => {
    await save({ rule: 'dawn', days: 'Monday' });
    await save({ rule: 'dawn-2', days: 'Monday' });
    const rules = service.db.collection<{ _id: string }>('strategies');
    await rules.updateOne({ _id: `${clusterId}:dawn` }, { $set: { days: 'Monday' } });
    expect((await search('dawn')).hits.map(({ id }) => id)).toEqual(['dawn-2']);
  });
});
