import { AppError } from '@tidemark/errors/app-error';
import { WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const PROD = '/strategies/all-prod';

describe('a strategy for labels', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterEach(() => gateway.reset());
  afterAll(() => gateway?.[Symbol.asyncDispose]());

  it('is shown with whom it reaches and whether all of them have it', async () => {
    const shown = {
      name: 'all-prod',
      selector: { env: 'prod' },
      priority: 10,
      rule: 'default',
      backupDate: 'Monday,Friday',
      period: '23:00-2:00',
      timeZone: '',
      paused: false,
      retention: { keepLast: 7 },
      windowEnd: 'stop',
      storageId: 'nfs',
      applied: true,
      clusters: 3,
      revision: 2,
      updateTime: '2026-01-05T23:00:00.000Z',
      updatedBy: 'console',
    };
    expect((await gateway.ask('GET', PROD, { token: 'viewer' })).body.data).toEqual({ strategy: shown });
    expect((await gateway.ask('GET', '/strategies', { token: 'viewer' })).body.data).toEqual({ strategies: [shown] });
  });

  it('is saved with what the body says, and keeps what it leaves out', async () => {
    const strategy = {
      name: 'all-prod',
      selector: { env: 'prod' },
      priority: -3,
      rule: 'nightly',
      backupDate: 'Monday',
      period: '1:00-2:00',
      timeZone: 'Europe/Rome',
      retention: { daily: 3 },
      windowEnd: 'stop',
      storageId: 'nfs',
    };
    expect((await gateway.ask('PUT', PROD, { token: 'operator', body: { strategy } })).status).toBe(200);
    expect(gateway.received('saveFleetStrategy').request).toMatchObject({
      name: 'all-prod',
      selector: { env: 'prod' },
      priority: -3,
      rule: 'nightly',
      days: 'Monday',
      period: '1:00-2:00',
      timeZone: 'Europe/Rome',
      retention: { daily: 3 },
      windowEnd: WindowEnd.STOP,
      storageId: 'nfs',
    });
    await gateway.ask('PUT', PROD, { body: { strategy: { paused: true } } });
    const { request } = gateway.received('saveFleetStrategy');
    expect(request).toMatchObject({ paused: true, selector: {}, rule: '', keepEverything: false });
    for (const field of ['priority', 'days', 'period', 'timeZone', 'retention', 'storageId'])
      expect(request[field], field).toBeUndefined();
  });

  it('tells at a save what may surprise: that nothing is deleted, or that backups are stopped', async () => {
    const answers = async (fleetStrategy: object) => {
      gateway.answers.saveFleetStrategy = async () => ({ fleetStrategy });
      return (await gateway.ask('PUT', PROD, { body: { strategy: { priority: 1 } } })).body.data.warnings;
    };
    const usual = { days: ['Monday'], retention: { keepLast: 7 } };
    expect(await answers(usual)).toBeUndefined();
    expect(await answers({ ...usual, windowEnd: WindowEnd.STOP })).toEqual([expect.stringContaining('is stopped')]);
    expect(await answers({ paused: true })).toEqual([
      expect.stringContaining('No weekday'),
      expect.stringContaining('is paused'),
      expect.stringContaining('No retention'),
    ]);
  });

  it('takes each cluster’s own zone with "" or null', async () => {
    for (const timeZone of ['', null]) {
      await gateway.ask('PUT', PROD, { body: { strategy: { timeZone } } });
      expect(gateway.received('saveFleetStrategy').request.timeZone).toBe('');
    }
  });

  it.each([
    [{}, 'strategy', '"selector":{"env":"prod"}'],
    [{ strategy: { selector: 'env=prod' } }, 'strategy.selector', '{"env":"prod"}'],
    [{ strategy: { selector: { env: 1 } } }, 'strategy.selector.env', 'such as "prod"'],
    [{ strategy: { priority: 1.5 } }, 'strategy.priority', 'such as 10'],
    [{ strategy: { priority: 1e7 } }, 'strategy.priority', 'such as 10'],
    [{ strategy: { rule: 'two words' } }, 'strategy.rule', 'such as nightly'],
    [{ strategy: { name: 'other' } }, 'strategy.name', 'all-prod'],
    [{ strategy: { retention: { keepLast: 'x' } } }, 'strategy.retention.keepLast', 'such as 7'],
  ])('is not saved from %j: the field is named and a right value shown', async (body, field, right) => {
    const answer = await gateway.ask('PUT', PROD, { body });
    expectFailure(answer, 400, 10001);
    expect(answer.body.details.fields).toEqual([{ field, description: expect.stringContaining(right) }]);
    expect(gateway.calls).toEqual([]);
  });

  it('is not saved with a storage that is not registered', async () => {
    gateway.answers.saveFleetStrategy = async () => {
      throw new AppError('storage_not_found', 'There is none.');
    };
    expectFailure(await gateway.ask('PUT', PROD, { body: { strategy: { storageId: 's3' } } }), 404, 20600);
    expect(gateway.calls.map(({ method }) => method)).toEqual(['saveFleetStrategy']);
  });

  it('is deleted, and is a 404 with 20606 when there is none', async () => {
    expect((await gateway.ask('DELETE', PROD, { token: 'operator' })).body).toMatchObject({ code: 0, data: {} });
    expect(gateway.received('deleteFleetStrategy').request).toMatchObject({ name: 'all-prod' });
    gateway.answers.getFleetStrategy = async ({ name }) => {
      throw new AppError('strategy_not_found', `There is no strategy ${name} for labels.`, { info: { name } });
    };
    expectFailure(await gateway.ask('GET', PROD), 404, 20606);
  });

  it('has a name like every other', async () => {
    const answer = await gateway.ask('GET', '/strategies/two%20words');
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(['name']);
  });
});
