import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BACKUP, CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const RULES = `/clusters/${CLUSTER}/strategies`;
const NIGHTLY = `${RULES}/nightly`;

describe('the rules of a cluster', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  beforeEach(() => {
    gateway.answers.getStrategy = async ({ clusterId, rule }) => {
      if (clusterId !== CLUSTER) throw new AppError('cluster_not_found', `There is no cluster ${clusterId}.`);
      return {
        strategy: {
          clusterId,
          rule,
          period: '1:00-2:00',
          storageId: 's3',
          brOptions: { rateLimit: 100, extra: { gcttl: '60' } },
          revision: rule === 'nightly' ? 3n : 0n,
        },
      };
    };
  });
  afterEach(() => gateway.reset());
  afterAll(() => gateway?.[Symbol.asyncDispose]());
  const methods = () => gateway.calls.map(({ method }) => method);

  it('are listed, all of them', async () => {
    gateway.answers.listStrategies = async ({ clusterIds: [clusterId = ''] }) => ({
      strategies: ['default', 'nightly'].map((rule) => ({ clusterId, rule, revision: 1n })),
    });
    const { status, body } = await gateway.ask('GET', RULES, { token: 'one-cluster-viewer' });
    expect(status).toBe(200);
    expect(body.data.strategies).toMatchObject([{ rule: 'default' }, { rule: 'nightly', source: { kind: 'cluster' } }]);
    expect(gateway.received('listStrategies').request).toMatchObject({ clusterIds: [CLUSTER] });
  });

  it('are read one by one', async () => {
    const { body } = await gateway.ask('GET', NIGHTLY, { token: 'viewer' });
    expect(body.data.strategy).toMatchObject({ clusterId: CLUSTER, rule: 'nightly', period: '1:00-2:00', revision: 3 });
  });

  it('are made with the name in the body, and only if it is free', async () => {
    const strategy = { rule: 'nightly', backupDate: 'Monday', retention: { keepLast: 7 } };
    const answer = await gateway.ask('POST', RULES, { token: 'operator', body: { strategy } });
    expect(answer.body.data.strategy).toMatchObject(strategy);
    expect(gateway.received('saveStrategy').request).toMatchObject({
      clusterId: CLUSTER,
      rule: 'nightly',
      createOnly: true,
    });
    gateway.answers.saveStrategy = async () => {
      throw invalidArgument([{ field: 'strategy.rule', description: 'the cluster has a rule "nightly" already' }]);
    };
    const taken = await gateway.ask('POST', RULES, { body: { strategy } });
    expectFailure(taken, 400, 10001);
    expect(badFields(taken)).toEqual(['strategy.rule']);
  });

  it('are changed with the name in the path, which the body may repeat but not change', async () => {
    for (const rule of [undefined, '', null, 'nightly'])
      expect((await gateway.ask('PUT', NIGHTLY, { body: { strategy: { rule, period: '3:00-4:00' } } })).status).toBe(
        200,
      );
    expect(gateway.received('saveStrategy').request).toMatchObject({ rule: 'nightly', createOnly: false });
    const other = await gateway.ask('PUT', NIGHTLY, { body: { strategy: { rule: 'weekly' } } });
    expectFailure(other, 400, 10001);
    expect(badFields(other)).toEqual(['strategy.rule']);
  });

  it.each([
    ['POST', RULES, { backupDate: 'Monday' }, 'strategy.rule', 'such as "nightly"'],
    ['POST', RULES, { rule: 'two words' }, 'strategy.rule', 'such as nightly'],
    ['POST', RULES, { rule: 7 }, 'strategy.rule', 'such as nightly'],
    ['PUT', NIGHTLY, { retention: { keep: 1 } }, 'strategy.retention', '{"keepLast":7,"weekly":4}'],
    ['PUT', NIGHTLY, { clusterId: 'other' }, 'strategy.clusterId', CLUSTER],
  ])(
    '%s %s with %j names the field, shows a right value and saves nothing',
    async (method, path, strategy, field, right) => {
      const answer = await gateway.ask(method, path, { body: { strategy } });
      expectFailure(answer, 400, 10001);
      expect(answer.body.details.fields).toEqual([{ field, description: expect.stringContaining(right) }]);
      expect(gateway.calls).toEqual([]);
    },
  );

  it.each([
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/pause'],
    ['POST', '/resume'],
    ['POST', '/run'],
  ])('%s of one that is not there, with %j, is a 404 with 20606 and changes nothing', async (method, verb) => {
    for (const rule of ['weekly', 'default']) {
      const answer = await gateway.ask(method, `${RULES}/${rule}${verb}`);
      expectFailure(answer, 404, 20606);
      expect(answer.body.details).toMatchObject({ clusterId: CLUSTER, rule });
    }
    for (const method of ['saveStrategy', 'deleteStrategy', 'startBackup']) expect(methods()).not.toContain(method);
  });

  it.each([
    ['pause', true],
    ['resume', false],
  ])('take %s, which changes nothing else', async (verb, paused) => {
    const answer = await gateway.ask('POST', `${NIGHTLY}/${verb}`, { token: 'one-cluster' });
    expect(answer).toMatchObject({ status: 200, body: { data: { strategy: { rule: 'nightly', paused } } } });
    const { request } = gateway.received('saveStrategy');
    expect(request).toMatchObject({ clusterId: CLUSTER, rule: 'nightly', paused, createOnly: false });
    for (const field of ['days', 'period', 'timeZone', 'retention', 'windowEnd', 'storageId', 'brOptions'])
      expect(request[field], field).toBeUndefined();
  });

  it('run now with the storage and the options of the rule, and the plan stays where it was', async () => {
    const answer = await gateway.ask('POST', `${NIGHTLY}/run`, {
      token: 'operator',
      headers: { 'idempotency-key': 'k-1' },
    });
    expect(answer).toMatchObject({ status: 200, body: { code: 0, data: { backupId: BACKUP, workFlowId: BACKUP } } });
    expect(gateway.received('startBackup').request).toMatchObject({
      clusterId: CLUSTER,
      key: 'k-1',
      mode: BackupMode.MANUAL,
      origin: BackupOrigin.REQUEST,
      rule: 'nightly',
      storageId: 's3',
      brOptions: { rateLimit: 100, extra: { gcttl: '60' } },
    });
    expect(methods()).toEqual(['getStrategy', 'startBackup']);
  });

  it('run under a key of their own where the request has none, and not under one that is none', async () => {
    await gateway.ask('POST', `${NIGHTLY}/run`);
    expect(gateway.received('startBackup').request.key).toMatch(/\S{20}/);
    gateway.calls.length = 0;
    const bad = await gateway.ask('POST', `${NIGHTLY}/run`, { headers: { 'idempotency-key': 'two words' } });
    expectFailure(bad, 400, 10001);
    expect(badFields(bad)).toEqual(['Idempotency-Key']);
    expect(gateway.calls).toEqual([]);
  });

  it('run, pause and resume only for who may, on clusters that they see', async () => {
    for (const verb of ['run', 'pause', 'resume']) {
      expectFailure(await gateway.ask('POST', `${NIGHTLY}/${verb}`, { token: 'viewer' }), 403, 70650);
      const foreign = `/clusters/test-tidb/strategies/nightly/${verb}`;
      expectFailure(await gateway.ask('POST', foreign, { token: 'one-cluster' }), 404, 10003);
    }
    expect(gateway.calls).toEqual([]);
  });

  it('are deleted one by one; one that comes from a strategy for labels says what to do instead', async () => {
    expect((await gateway.ask('DELETE', NIGHTLY)).body).toMatchObject({ code: 0, data: {} });
    expect(gateway.received('deleteStrategy').request).toMatchObject({ clusterId: CLUSTER, rule: 'nightly' });
    gateway.answers.deleteStrategy = async () => {
      throw new AppError('strategy_inherited', 'It comes from all-prod; pause it.', { info: { rule: 'nightly' } });
    };
    const answer = await gateway.ask('DELETE', NIGHTLY);
    expectFailure(answer, 409, 20607);
    expect(answer.body.message).toContain('pause it');
  });

  it.each([
    ['GET', RULES],
    ['POST', RULES],
    ['GET', NIGHTLY],
    ['PUT', NIGHTLY],
    ['DELETE', NIGHTLY],
    ['POST', `${NIGHTLY}/pause`],
    ['POST', `${NIGHTLY}/run`],
  ])('of an unknown cluster are a 404 for %s %s', async (method, path) => {
    const body = method === 'GET' ? undefined : { strategy: { rule: 'nightly' } };
    expectFailure(await gateway.ask(method, path.replace(CLUSTER, 'nobody'), { body }), 404, 10003);
  });
});
