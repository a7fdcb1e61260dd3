import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROLES } from './authenticate.ts';
import { type Call, NEEDED_ROLE } from './authorize.ts';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER } from './testing/programmable-backends.ts';
import { expectFailure, startTestGateway, type TestGateway } from './testing/test-gateway.ts';

type Request = readonly [method: string, path: string, body?: object];

/** How each call is made for a cluster and a backup. */
const requestFor = (clusterId: string, backupId: string) =>
  ({
    getStrategy: ['GET', `/clusters/${clusterId}/strategy`],
    listStrategies: ['GET', `/clusters/${clusterId}/strategies`],
    saveStrategy: ['PUT', `/clusters/${clusterId}/strategy`, { strategy: { backupDate: '' } }],
    deleteStrategy: ['DELETE', `/clusters/${clusterId}/strategy`],
    getFleetStrategy: ['GET', '/strategies/all-prod'],
    listFleetStrategies: ['GET', '/strategies'],
    saveFleetStrategy: ['PUT', '/strategies/all-prod', { strategy: { selector: { env: 'prod' } } }],
    deleteFleetStrategy: ['DELETE', '/strategies/all-prod'],
    getBackup: ['GET', `/backups/${backupId}`],
    listBackups: ['GET', `/backups?clusterId=${clusterId}`],
    watchBackup: ['GET', `/backups/${backupId}/events`],
    readBackupLog: ['GET', `/backups/${backupId}/log`],
    startBackup: ['POST', '/backups', { clusterId }],
    cancelBackup: ['POST', '/backups/cancel', { clusterId, backupId }],
    deleteBackup: ['DELETE', `/backups/${backupId}`],
    pinBackup: ['PUT', `/backups/${backupId}/pin`],
    unpinBackup: ['DELETE', `/backups/${backupId}/pin`],
    previewStrategy: ['POST', `/clusters/${clusterId}/strategy/preview`],
    evaluateRetention: ['POST', `/clusters/${clusterId}/retention/simulate`, { retention: { keepLast: 3 } }],
    listOccurrences: ['GET', `/clusters/${clusterId}/occurrences`],
    getCluster: ['GET', `/clusters/${clusterId}`],
    listClusters: ['GET', '/clusters'],
    putCluster: ['PUT', `/clusters/${clusterId}`, { storageId: 'nfs' }],
    deleteCluster: ['DELETE', `/clusters/${clusterId}`],
    getStorage: ['GET', '/storages/nfs'],
    listStorages: ['GET', '/storages'],
    putStorage: ['PUT', '/storages/nfs', { type: 'local', path: '/mnt/nfs' }],
    deleteStorage: ['DELETE', '/storages/nfs'],
    checkStorage: ['POST', '/storages/nfs/check'],
    rebuildRecords: ['POST', '/storages/nfs/rebuild'],
    getStorageCheck: ['GET', '/storages/nfs/checks/c1'],
  }) as const satisfies Record<Call, Request>;

const CALLS = Object.entries(requestFor(CLUSTER, BACKUP)) as [Call, Request][];
const OF_NO_CLUSTER: readonly Call[] = [
  'getFleetStrategy',
  'listFleetStrategies',
  'saveFleetStrategy',
  'deleteFleetStrategy',
  'listClusters',
  'getStorage',
  'listStorages',
  'putStorage',
  'deleteStorage',
  'checkStorage',
  'rebuildRecords',
  'getStorageCheck',
];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

describe.each(ROLES)('a token with the role %s', (role) => {
  it.each(CALLS)(
    'may call %s if the table of roles says so, and is a 403 otherwise',
    async (call, [method, path, body]) => {
      gateway.calls.length = 0;
      const answer = await gateway.ask(method, path, { token: role, body });
      if (ROLES.indexOf(role) >= ROLES.indexOf(NEEDED_ROLE[call])) {
        expect(answer.status).toBe(200);
        expect(gateway.calls.map(({ method: received }) => received)).toContain(call);
      } else {
        expectFailure(answer, 403, 70650);
        expect(answer.body.message).toContain(NEEDED_ROLE[call]);
        expect(gateway.calls.map(({ method: received }) => received)).not.toContain(call);
      }
    },
  );
});

describe('a token that is limited to clusters', () => {
  const ofClusters = CALLS.filter(([call]) => !OF_NO_CLUSTER.includes(call)).map(([call]) => call);

  it.each(ofClusters)('sees a foreign cluster in %s as one that does not exist', async (call) => {
    const [method, path, body]: Request = requestFor(OTHER_CLUSTER, OTHER_BACKUP)[call];
    const [noMethod, noPath, noBody]: Request = requestFor('nobody', 'nobody')[call];
    for (const token of ['one-cluster-viewer', 'one-cluster', 'one-cluster-admin']) {
      gateway.calls.length = 0;
      const foreign = await gateway.ask(method, path, { token, body });
      const absent = await gateway.ask(noMethod, noPath, { token, body: noBody });
      expectFailure(foreign, 404, path.startsWith('/backups/') ? 20610 : foreign.body.code);
      expect([10003, 20610]).toContain(foreign.body.code);
      const blur = (text: string) => text.replaceAll(/test-tidb|AM0kcZ1qSkyE_PKal6jQmA/g, 'nobody');
      const { requestId: _, ...rest } = foreign.body;
      const { requestId: __, ...none } = absent.body;
      expect(JSON.parse(blur(JSON.stringify(rest)))).toEqual(none);
      for (const { method: reached } of gateway.calls) expect(reached).toBe('getBackup');
    }
  });

  it('lists only what belongs to its clusters', async () => {
    const token = 'one-cluster-viewer';
    const listed = await gateway.ask('GET', '/backups', { token });
    expect(listed.body).toMatchObject({ data: { backupRecords: [{ clusterId: CLUSTER }] }, page: { total: 1 } });
    expect((await gateway.ask('GET', '/clusters', { token })).body.data.clusters).toMatchObject([{ id: CLUSTER }]);
    await gateway.ask('GET', '/occurrences', { token });
    for (const [method, field] of [
      ['listBackups', 'clusterIds'],
      ['listClusters', 'ids'],
      ['listOccurrences', 'clusterIds'],
    ] as const)
      expect(gateway.received(method).request[field]).toEqual([CLUSTER]);
  });

  it('is not shown a foreign backup by its id in the list', async () => {
    await gateway.ask('GET', `/backups?backupId=${OTHER_BACKUP}`, { token: 'one-cluster' });
    expect(gateway.received('listBackups').request).toMatchObject({ clusterIds: [CLUSTER], id: OTHER_BACKUP });
  });

  it('may register its own cluster again but not remove it, nor touch storages', async () => {
    const token = 'one-cluster-admin';
    const body = { storageId: 'nfs' };
    expect((await gateway.ask('PUT', `/clusters/${CLUSTER}`, { token, body })).status).toBe(200);
    expectFailure(await gateway.ask('DELETE', `/clusters/${CLUSTER}`, { token }), 403, 70650);
    expectFailure(await gateway.ask('GET', '/storages', { token }), 403, 70650);
  });

  it('sees no strategy for labels, which reach clusters beyond its own', async () => {
    const body = { strategy: { selector: { env: 'prod' } } };
    for (const [method, path] of [
      ['GET', '/strategies'],
      ['GET', '/strategies/all-prod'],
      ['PUT', '/strategies/all-prod'],
      ['DELETE', '/strategies/all-prod'],
    ] as const)
      expectFailure(await gateway.ask(method, path, { token: 'one-cluster-admin', body }), 403, 70650);
  });
});
