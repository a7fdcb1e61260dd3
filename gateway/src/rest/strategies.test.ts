import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { invalidArgument } from '@tidemark/errors/app-error';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const PATH = `/clusters/${CLUSTER}/strategy`;

describe('the strategy of a cluster', () => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await startTestGateway();
  });
  afterEach(() => gateway[Symbol.asyncDispose]());

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
          timeZone: 'Asia/Shanghai',
          paused: false,
          revision: 0,
        },
      },
    });
  });

  it('shows the zone that a first save would take: that of the cluster, else that of Tidemark', async () => {
    const zoneShown = async () => (await gateway.ask('GET', PATH)).body.data.strategy.timeZone;
    gateway.answers.getStrategy = async () => ({ strategy: { period: '0:00-1:00', timeZone: 'Europe/Berlin' } });
    expect(await zoneShown()).toBe('Asia/Shanghai');
    gateway.answers.getCluster = async ({ id }) => ({ cluster: { id } });
    expect(await zoneShown()).toBe('Europe/Berlin');
  });

  it('shows the zone that was settled at the first save, whatever the cluster says now', async () => {
    gateway.answers.getStrategy = async () => ({ strategy: { timeZone: 'Europe/Berlin', revision: 1n } });
    expect((await gateway.ask('GET', PATH)).body.data.strategy.timeZone).toBe('Europe/Berlin');
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
      defaultTimeZone: 'Asia/Shanghai',
    });
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
