/** The call of TiUniManager that made a new cluster of a backup, and what its clients send. */
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BACKUP, CLUSTER, OTHER_CLUSTER, RESTORE } from '../testing/programmable-backends.ts';
import { badFields, expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(() => gateway[Symbol.asyncDispose]());

/** As the console of TiUniManager has it: the cluster that was backed up, and what describes the new one. */
const FROM_THE_CONSOLE = {
  clusterId: OTHER_CLUSTER,
  backupId: BACKUP,
  clusterName: 'restored',
  dbUser: 'root',
  dbPassword: 'mypassword',
  clusterType: 'TiDB',
  clusterVersion: 'v5.2.2',
  tags: ['tag1'],
  tls: false,
  copies: 1,
  exclusive: false,
  vendor: 'Local',
  region: 'Region1',
  cpuArchitecture: 'X86_64',
  parameterGroupID: '1',
  resourceParameters: { instanceResource: [{ componentType: 'PD', totalNodeCount: 1, resource: [] }] },
};
const CONFIRMED = { targetClusterId: CLUSTER, planHash: 'p', confirm: CLUSTER };

const restore = (body: object, token = 'admin') => gateway.ask('POST', '/clusters/restore', { body, token });
const reached = () => gateway.calls.map(({ method }) => method);

describe('POST /clusters/restore', () => {
  it('restores into the registered cluster that it names, never into the one that was backed up', async () => {
    const { status, body } = await restore({ ...FROM_THE_CONSOLE, ...CONFIRMED });
    expect(status).toBe(200);
    expect(body).toEqual({
      code: 0,
      message: 'OK',
      data: { workFlowId: RESTORE, clusterID: CLUSTER, restoreId: RESTORE },
    });
    const { request } = gateway.received('startRestore');
    expect(request).toMatchObject({ backupId: BACKUP, ...CONFIRMED });
    expect(JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? String(value) : value))).not.toContain(
      OTHER_CLUSTER,
    );
  });

  it.each([
    ['what the console sends', FROM_THE_CONSOLE],
    ['an empty target', { ...FROM_THE_CONSOLE, ...CONFIRMED, targetClusterId: '' }],
    ['no target but the plan of one', { ...CONFIRMED, backupId: BACKUP, targetClusterId: null }],
    ['nothing at all', {}],
  ])('says of %s that Tidemark makes no clusters, and starts nothing', async (_, body) => {
    const answer = await restore(body);
    expectFailure(answer, 400, 10001);
    expect(answer.body.message).toBe(
      'Tidemark does not create clusters: register the new cluster, then POST /restores',
    );
    expect(badFields(answer)).toEqual(['targetClusterId']);
    expect(reached()).not.toContain('startRestore');
  });

  it('names an empty backupId', async () => {
    const answer = await restore({ ...CONFIRMED, backupId: '' });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(['backupId']);
  });

  it('leaves it to the service whether a start without a plan and its confirmation is fine', async () => {
    gateway.answers.startRestore = async () => {
      throw invalidArgument([
        { field: 'planHash', description: 'must be the planHash of the plan that you looked at' },
      ]);
    };
    const answer = await restore({ ...FROM_THE_CONSOLE, targetClusterId: CLUSTER, planHash: null });
    expectFailure(answer, 400, 10001);
    expect(badFields(answer)).toEqual(['planHash']);
    expect(gateway.received('startRestore').request).toMatchObject({ planHash: '', confirm: '' });
  });

  it('has the numbers of TiUniManager for a backup that is not there, or not finished', async () => {
    const refuse = (code: 'backup_not_found' | 'backup_not_good') => {
      gateway.answers.startRestore = async () => {
        throw new AppError(code, 'Not this one.', { info: { backupId: BACKUP } });
      };
      return restore({ ...FROM_THE_CONSOLE, ...CONFIRMED });
    };
    expectFailure(await refuse('backup_not_found'), 404, 20604);
    expectFailure(await refuse('backup_not_good'), 409, 20610);
    // Everywhere else the numbers are those of the table.
    expectFailure(await gateway.ask('POST', '/restores', { body: { ...CONFIRMED, backupId: BACKUP } }), 409, 10001);
  });

  it('is for admins who see the target, and for operators where that is a scratch cluster', async () => {
    expectFailure(await restore({ ...FROM_THE_CONSOLE, ...CONFIRMED }, 'viewer'), 403, 70650);
    const foreign = { ...CONFIRMED, targetClusterId: OTHER_CLUSTER, confirm: OTHER_CLUSTER, backupId: BACKUP };
    expectFailure(await restore(foreign, 'one-cluster-admin'), 404, 10003);
    expect(reached()).not.toContain('startRestore');
    for (const [token, scratchOnly] of [
      ['operator', true],
      ['admin', false],
    ] as const) {
      await restore({ ...FROM_THE_CONSOLE, ...CONFIRMED }, token);
      expect(gateway.received('startRestore').request, token).toMatchObject({ scratchOnly });
    }
  });
});
