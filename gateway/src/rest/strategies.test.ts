import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { VerificationLevel } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { WindowEnd } from '@tidemark/protocol/connect/tidemark/strategy/v1/strategy_service';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const PATH = `/clusters/${CLUSTER}/strategy`;

describe('the strategy of a cluster', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterEach(() => gateway.reset());
  afterAll(() => gateway?.[Symbol.asyncDispose]());

  it('is answered as documented when none was saved', async () => {
    const { status, body } = await gateway.ask('GET', PATH, { token: 'viewer' });
    expect(status).toBe(200);
    expect(body).toEqual({
      code: 0,
      message: 'OK',
      data: {
        strategy: {
          clusterId: CLUSTER,
          backupDate: '',
          period: '0:00-1:00',
          rule: 'default',
          timeZone: 'Asia/Shanghai',
          paused: false,
          retention: null,
          windowEnd: 'letRun',
          storageId: '',
          source: { kind: 'cluster' },
          revision: 0,
        },
      },
    });
  });

  it('is read with one call, and shows the zone that comes with it', async () => {
    gateway.answers.getStrategy = async () => ({ strategy: { timeZone: 'Europe/Berlin', revision: 1n } });
    expect((await gateway.ask('GET', PATH)).body.data.strategy.timeZone).toBe('Europe/Berlin');
    expect(gateway.calls.map(({ method }) => method)).toEqual(['getStrategy']);
  });

  it('shows days joined by commas without blanks, and the next window', async () => {
    gateway.answers.getStrategy = async () => ({
      strategy: {
        days: ['Tuesday', 'Monday'],
        period: '07:00-9:00',
        paused: true,
        revision: 3n,
        nextWindow: {
          opensAt: timestampFromDate(new Date('2026-01-05T23:00:00Z')),
          closesAt: timestampFromDate(new Date('2026-01-06T01:00:00Z')),
        },
      },
    });
    expect((await gateway.ask('GET', PATH)).body.data.strategy).toMatchObject({
      backupDate: 'Tuesday,Monday',
      period: '07:00-9:00',
      paused: true,
      revision: 3,
      nextWindow: { opensAt: '2026-01-05T23:00:00.000Z', closesAt: '2026-01-06T01:00:00.000Z' },
    });
  });

  it.each(['PUT', 'POST'])('is saved with %s, and the answer holds it as stored', async (method) => {
    const answer = await gateway.ask(method, PATH, {
      token: 'operator',
      body: { strategy: { clusterId: CLUSTER, backupDate: 'Tuesday,Wednesday', period: '7:00-9:00' } },
    });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        code: 0,
        data: { strategy: { clusterId: CLUSTER, backupDate: 'Tuesday,Wednesday', period: '7:00-9:00' } },
      },
    });
    expect(gateway.received('saveStrategy').request).toMatchObject({
      clusterId: CLUSTER,
      days: 'Tuesday,Wednesday',
      period: '7:00-9:00',
    });
    // The warnings are asked for beside it.
    expect(gateway.calls.map(({ method }) => method).sort()).toEqual(['previewStrategy', 'saveStrategy']);
  });

  it('keeps what a save leaves out or sends as null', async () => {
    await gateway.ask('PUT', PATH, {
      body: { strategy: { backupDate: null, period: '', timeZone: '', paused: null } },
    });
    const { request } = gateway.received('saveStrategy');
    for (const field of ['days', 'period', 'timeZone', 'paused']) expect(request[field], field).toBeUndefined();
  });

  it('has no automatic backups after a save of backupDate ""', async () => {
    await gateway.ask('PUT', PATH, { body: { strategy: { backupDate: '' } } });
    expect(gateway.received('saveStrategy').request.days).toBe('');
  });

  it('takes a body clusterId that is left out, empty, null or the same, but not another (C9)', async () => {
    for (const clusterId of [undefined, '', null, CLUSTER])
      expect((await gateway.ask('PUT', PATH, { body: { strategy: { clusterId, backupDate: '' } } })).status).toBe(200);
    const saves = gateway.calls.filter(({ method }) => method === 'saveStrategy').length;
    const other = await gateway.ask('PUT', PATH, { body: { strategy: { clusterId: 'test-tidb', backupDate: '' } } });
    expectFailure(other, 400, 10001);
    expect(badFields(other)).toEqual(['strategy.clusterId']);
    expect(gateway.calls.filter(({ method }) => method === 'saveStrategy')).toHaveLength(saves);
  });

  it('saves retention, verification, window end, storage and options of br with the rest', async () => {
    const retention = { keepLast: 7, weekly: 4 };
    const verify = { every: 'P2W', level: 'bytes', sample: 0.1, rateLimit: 100 };
    const answer = await gateway.ask('PUT', PATH, {
      body: {
        strategy: {
          retention,
          verify,
          windowEnd: 'stop',
          storageId: 'nfs',
          brOptions: { rateLimit: 100, extra: { gcttl: 60 } },
        },
      },
    });
    expect(answer.body.data.strategy).toMatchObject({
      retention,
      verify: { ...verify, every: 'P14D' },
      windowEnd: 'stop',
      storageId: 'nfs',
      brOptions: { rateLimit: 100, extra: { gcttl: '60' } },
    });
    expect(gateway.received('saveStrategy').request).toMatchObject({
      rule: 'default',
      storageId: 'nfs',
      createOnly: false,
      keepEverything: false,
      clearBrOptions: false,
      retention: { keepLast: 7, keepDays: 0, daily: 0, weekly: 4, monthly: 0, yearly: 0 },
      verify: { everyDays: 14, level: VerificationLevel.BYTES, sample: 0.1, rateLimit: 100 },
      windowEnd: WindowEnd.STOP,
    });
  });

  it('keeps everything with retention null, verifies nothing with verify null, takes the cluster’s storage with "" or null, and drops options with null', async () => {
    for (const storageId of ['', null]) {
      const body = { strategy: { retention: null, verify: null, brOptions: null, windowEnd: null, storageId } };
      expect((await gateway.ask('PUT', PATH, { body })).status).toBe(200);
      const { request } = gateway.received('saveStrategy');
      expect(request).toMatchObject({ keepEverything: true, neverVerify: true, clearBrOptions: true, storageId: '' });
      for (const field of ['retention', 'verify', 'brOptions', 'windowEnd'])
        expect(request[field], field).toBeUndefined();
    }
    expect(gateway.calls.map(({ method }) => method)).not.toContain('getStorage');
  });

  it('is a 404 with 20600 for a storage that is not registered', async () => {
    gateway.answers.saveStrategy = async ({ storageId }) => {
      throw new AppError('storage_not_found', `There is no storage ${storageId}.`);
    };
    expectFailure(await gateway.ask('PUT', PATH, { body: { strategy: { storageId: 'nowhere' } } }), 404, 20600);
  });

  it('tells where it comes from and who paused it', async () => {
    const shown = async (fields: object) => {
      gateway.answers.getStrategy = async () => ({ strategy: { revision: 1n, ...fields } });
      return (await gateway.ask('GET', PATH)).body.data.strategy;
    };
    const fleetStrategy = 'all-prod';
    const source = { kind: 'fleet', name: 'all-prod' };
    expect(await shown({ fleetStrategy })).toMatchObject({ source, paused: false });
    expect(await shown({ fleetStrategy })).not.toHaveProperty('pausedBy');
    expect(await shown({ fleetStrategy, paused: true })).toMatchObject({ paused: true, pausedBy: 'cluster' });
    expect(await shown({ fleetStrategy, fleetPaused: true })).toMatchObject({ paused: true, pausedBy: 'fleet' });
    expect(await shown({ paused: true })).toMatchObject({ source: { kind: 'cluster' }, pausedBy: 'cluster' });
  });

  it('passes on which word the strategy service found bad', async () => {
    gateway.answers.saveStrategy = async () => {
      throw invalidArgument([{ field: 'strategy.backupDate', description: '"Moonday" is no weekday' }]);
    };
    const answer = await gateway.ask('PUT', PATH, { body: { strategy: { backupDate: 'Moonday' } } });
    expectFailure(answer, 400, 10001);
    expect(answer.body.message).toContain('Moonday');
    expect(badFields(answer)).toEqual(['strategy.backupDate']);
  });

  it.each([
    [{}, ['strategy']],
    [{ strategy: null }, ['strategy']],
    [{ strategy: [] }, ['strategy']],
    [{ strategy: 'Monday' }, ['strategy']],
    [{ strategy: { backupDate: ['Monday'], period: 7 } }, ['strategy.backupDate', 'strategy.period']],
    [{ strategy: { paused: 'yes' } }, ['strategy.paused']],
  ])('is not saved from %j, whose bad fields are named', async (body, fields) => {
    const answer = await gateway.ask('PUT', PATH, { body });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(fields);
    expect(gateway.calls).toEqual([]);
  });

  it.each([
    [{ retention: { keepLats: 7 } }, 'strategy.retention', '{"keepLast":7,"weekly":4}'],
    [{ retention: 7 }, 'strategy.retention', 'or null, which keeps everything'],
    [{ retention: { keepLast: -1 } }, 'strategy.retention.keepLast', 'such as 7'],
    [{ retention: { daily: 100_001 } }, 'strategy.retention.daily', 'from 0 to 100000'],
    [{ retention: { yearly: 1.5 } }, 'strategy.retention.yearly', 'such as 7'],
    [{ verify: {} }, 'strategy.verify.every', 'such as "P7D"'],
    [{ verify: { every: 'weekly' } }, 'strategy.verify.every', 'such as "P7D"'],
    [{ verify: { every: 'P600W' } }, 'strategy.verify.every', 'up to 3650 days'],
    [{ verify: { every: 'P7D', sample: 0 } }, 'strategy.verify.sample', 'from 0.000001'],
    [{ verify: { every: 'P7D', often: true } }, 'strategy.verify', '{"every":"P7D"'],
    [{ verify: 'P7D' }, 'strategy.verify', 'or null, which verifies nothing'],
    [{ windowEnd: 'maybe' }, 'strategy.windowEnd', '"letRun" or "stop"'],
    [{ storageId: 'no such id' }, 'strategy.storageId', 'such as nfs'],
    [{ brOptions: { concurrency: 1_000 } }, 'strategy.brOptions.concurrency', 'from 0 to 256'],
    [{ rule: 'nightly' }, 'strategy.rule', 'be default'],
    [{ rule: 'no rule' }, 'strategy.rule', 'such as nightly'],
  ])('is not saved from %j: the field is named and a right value shown', async (strategy, field, right) => {
    const answer = await gateway.ask('PUT', PATH, { body: { strategy } });
    expectFailure(answer, 400, 10001);
    expect(answer.body.details.fields).toEqual([{ field, description: expect.stringContaining(right) }]);
    expect(gateway.calls).toEqual([]);
  });

  it('is deleted with DELETE, only the documented rule', async () => {
    const answer = await gateway.ask('DELETE', PATH, { token: 'operator' });
    expect(answer).toMatchObject({ status: 200, body: { code: 0, data: {} } });
    expect(gateway.received('deleteStrategy').request).toMatchObject({ clusterId: CLUSTER, rule: 'default' });
  });

  it.each(['GET', 'PUT', 'POST', 'DELETE'])('of an unknown cluster is a 404 for %s', async (method) => {
    const body = method === 'GET' || method === 'DELETE' ? undefined : { strategy: { backupDate: '' } };
    expectFailure(await gateway.ask(method, '/clusters/nobody/strategy', { body }), 404, 10003);
  });
});
