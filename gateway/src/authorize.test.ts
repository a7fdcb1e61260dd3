import { type CallName, CALLS as CONTRACT, type Role } from '@tidemark/contract/calls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROLES } from './identity/caller.ts';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER } from './testing/programmable-backends.ts';
import { type Answer, expectFailure, startTestGateway, type TestGateway } from './testing/test-gateway.ts';

/** A call that REST has, or one with a field that takes more of a role. */
type Call = Exclude<CallName, 'findBackupByKey'> | 'forgetBackup';
const rpcOf = (call: Call): CallName => (call === 'forgetBackup' ? 'deleteBackup' : call);
const roleOf = (call: Call): Role => (call === 'forgetBackup' ? 'admin' : CONTRACT[call].role);
const subjectOf = (call: Call) => CONTRACT[rpcOf(call)].subject;

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
    forgetBackup: ['DELETE', `/backups/${backupId}?forget=true`],
    pinBackup: ['PUT', `/backups/${backupId}/pin`],
    unpinBackup: ['DELETE', `/backups/${backupId}/pin`],
    previewStrategy: ['POST', `/clusters/${clusterId}/strategy/preview`],
    evaluateRetention: ['POST', `/clusters/${clusterId}/retention/simulate`, { retention: { keepLast: 3 } }],
    listOccurrences: ['GET', `/clusters/${clusterId}/occurrences`],
    getCluster: ['GET', `/clusters/${clusterId}`],
    listClusters: ['GET', '/clusters'],
    putCluster: ['PUT', `/clusters/${clusterId}`, { pd: ['10.0.0.1:2379'], storageId: 'nfs' }],
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
      if (ROLES.indexOf(role) >= ROLES.indexOf(roleOf(call))) {
        expect(answer.status).toBe(200);
        expect(gateway.calls.map(({ method: received }) => received)).toContain(rpcOf(call));
      } else {
        expectFailure(answer, 403, 70650);
        expect(answer.body.message).toContain(roleOf(call));
        expect(gateway.calls.map(({ method: received }) => received)).not.toContain(rpcOf(call));
      }
    },
  );
});

/** Calls that reached the services, without those that look up which clusters have a label. */
const reached = () =>
  gateway.calls.filter(({ method, request }) => method !== 'listClusters' || (request.ids?.length ?? 0) > 0);

const LIMITED = {
  'to named clusters': { viewer: 'one-cluster-viewer', operator: 'one-cluster', admin: 'one-cluster-admin' },
  'by labels': { viewer: 'labelled-viewer', operator: 'labelled', admin: 'labelled-admin' },
} as const;
const OF_EVERYTHING = CALLS.filter(([call]) => subjectOf(call) === 'everything');
const OF_ONE_CLUSTER = CALLS.map(([call]) => call).filter(
  (call) => subjectOf(call) !== 'everything' && call !== 'listClusters',
);

describe.each(Object.entries(LIMITED))('a token that is limited %s', (_, tokens) => {
  describe.each(ROLES)('with the role %s', (role) => {
    const token = tokens[role];

    it.each(CALLS.filter(([call]) => subjectOf(call) !== 'everything'))(
      'may call %s for its own cluster if the table of roles says so, and is a 403 otherwise',
      async (call, [method, path, body]) => {
        gateway.calls.length = 0;
        const answer = await gateway.ask(method, path, { token, body });
        if (ROLES.indexOf(role) >= ROLES.indexOf(roleOf(call))) expect(answer.status).toBe(200);
        else expectFailure(answer, 403, 70650);
        expect(reached().some(({ method: received }) => received === rpcOf(call))).toBe(answer.status === 200);
      },
    );

    it.each(OF_EVERYTHING)('may not call %s, which is about more than its clusters', async (_call, request) => {
      const [method, path, body] = request;
      gateway.calls.length = 0;
      expectFailure(await gateway.ask(method, path, { token, body }), 403, 70650);
      expect(reached()).toEqual([]);
    });

    it.each(OF_ONE_CLUSTER)(
      'sees a foreign cluster in %s as one that does not exist: answer, calls and all',
      async (call) => {
        const [method, path, body]: Request = requestFor(OTHER_CLUSTER, OTHER_BACKUP)[call];
        const [noMethod, noPath, noBody]: Request = requestFor('nobody', 'nobody')[call];
        gateway.calls.length = 0;
        const foreign = await gateway.ask(method, path, { token, body });
        const made = reached().map((one) => one.method);
        gateway.calls.length = 0;
        const absent = await gateway.ask(noMethod, noPath, { token, body: noBody });
        expect(reached().map((one) => one.method)).toEqual(made);
        expect(made.every((one) => one === 'getBackup')).toBe(true);
        expectFailure(foreign, 404, subjectOf(call) === 'backup' ? 20610 : 10003);
        expect(blurred(foreign)).toEqual(blurred(absent));
      },
    );
  });

  const { viewer, operator, admin } = tokens;

  it('lists and counts only what belongs to its clusters', async () => {
    gateway.calls.length = 0;
    const listed = await gateway.ask('GET', '/backups', { token: viewer });
    expect(listed.body).toMatchObject({ data: { backupRecords: [{ clusterId: CLUSTER }] }, page: { total: 1 } });
    const { body } = await gateway.ask('GET', '/clusters', { token: viewer });
    expect(body.data.clusters).toMatchObject([{ id: CLUSTER }]);
    await gateway.ask('GET', '/occurrences', { token: viewer });
    expect(reached().map(({ method, request }) => [method, request.clusterIds ?? request.ids])).toEqual([
      ['listBackups', [CLUSTER]],
      ['listClusters', [CLUSTER]],
      ['listOccurrences', [CLUSTER]],
    ]);
  });

  it('is not shown a foreign backup by its id in the list', async () => {
    await gateway.ask('GET', `/backups?backupId=${OTHER_BACKUP}`, { token: operator });
    expect(gateway.received('listBackups').request).toMatchObject({ clusterIds: [CLUSTER], id: OTHER_BACKUP });
  });

  it('cannot cancel a foreign backup under the name of its own cluster, which the services are told of', async () => {
    await gateway.ask('POST', '/backups/cancel', {
      token: operator,
      body: { clusterId: CLUSTER, backupId: OTHER_BACKUP },
    });
    expect(gateway.received('cancelBackup').request).toMatchObject({ id: OTHER_BACKUP, clusterId: CLUSTER });
  });

  it.each(['events', 'log?follow=true', 'log?attempt=1'])(
    'has no stream of a foreign backup: %s is one answer, at once',
    async (stream) => {
      const foreign = await gateway.ask('GET', `/backups/${OTHER_BACKUP}/${stream}`, { token: viewer });
      expectFailure(foreign, 404, 20610);
      expect(blurred(foreign)).toEqual(
        blurred(await gateway.ask('GET', `/backups/nobody/${stream}`, { token: viewer })),
      );
    },
  );

  it('learns nothing of foreign clusters by an idempotency key that was used there', async () => {
    const ask = (clusterId: string) =>
      gateway.ask('POST', '/backups', { token: operator, body: { clusterId }, headers: { 'idempotency-key': 'k1' } });
    expect((await gateway.ask('POST', '/backups', { body: { clusterId: OTHER_CLUSTER } })).status).toBe(200);
    gateway.calls.length = 0;
    expect(blurred(await ask(OTHER_CLUSTER))).toEqual(blurred(await ask('nobody')));
    expect(reached()).toEqual([]);
    // The services keep keys apart by the caller's name.
    expect((await ask(CLUSTER)).status).toBe(200);
    const { request, headers } = gateway.received('startBackup');
    expect([request.clusterId, request.key]).toEqual([CLUSTER, 'k1']);
    expect(headers.get('x-tidemark-caller')).toBe(`token ${operator}`);
  });

  it('is told about a foreign cluster by no other fault of the request', async () => {
    const bad: readonly Request[] = [
      ['GET', '/backups?clusterId=ID&pageSize=1&status=Finished'],
      ['GET', '/backups?clusterId=ID&status=Finished&state=Running'],
      ['PUT', '/clusters/ID/strategy', { strategy: { period: 'never' } }],
      ['PUT', '/clusters/ID', {}],
      ['POST', '/clusters/ID/strategies', {}],
      ['POST', '/clusters/ID/strategies/nightly/run'],
      ['POST', '/clusters/ID/strategy/preview', { strategy: { period: 'never' } }],
      ['POST', '/clusters/ID/retention/simulate', { retention: 7 }],
      ['GET', '/clusters/ID/occurrences?state=Odd'],
    ];
    for (const [method, path, body] of bad) {
      const ask = (id: string) => gateway.ask(method, path.replace('ID', id), { token: admin, body });
      const foreign = await ask(OTHER_CLUSTER);
      expectFailure(foreign, 404, 10003);
      expect(blurred(foreign)).toEqual(blurred(await ask('nobody')));
    }
  });

  it('registers and removes its own cluster as an admin, and no other, known or not', async () => {
    const body = { pd: ['10.0.0.1:2379'], storageId: 'nfs' };
    for (const id of [OTHER_CLUSTER, 'nobody']) {
      expectFailure(await gateway.ask('PUT', `/clusters/${id}`, { token: admin, body }), 404, 10003);
      expectFailure(await gateway.ask('DELETE', `/clusters/${id}`, { token: admin }), 404, 10003);
    }
    expect((await gateway.ask('PUT', `/clusters/${CLUSTER}`, { token: admin, body })).status).toBe(200);
    expect((await gateway.ask('DELETE', `/clusters/${CLUSTER}`, { token: admin })).status).toBe(200);
    expectFailure(await gateway.ask('DELETE', `/clusters/${CLUSTER}`, { token: operator }), 403, 70650);
  });
});

/** An answer without what differs between any two, and with one name for what does not exist. */
function blurred({ status, body }: Answer): unknown {
  const { requestId: _, ...rest } = body;
  return { status, ...JSON.parse(JSON.stringify(rest).replaceAll(/test-tidb|AM0kcZ1qSkyE_PKal6jQmA/g, 'nobody')) };
}

describe('a token whose labels no cluster has', () => {
  it('sees empty lists and not everything', async () => {
    const token = 'labelled-nothing';
    expect((await gateway.ask('GET', '/backups', { token })).body).toMatchObject({
      data: { backupRecords: [] },
      page: { total: 0 },
    });
    expect((await gateway.ask('GET', '/clusters', { token })).body.data.clusters).toEqual([]);
    expect((await gateway.ask('GET', '/occurrences', { token })).body).toMatchObject({
      data: { occurrences: [] },
      page: { total: 0 },
    });
    expectFailure(await gateway.ask('GET', `/clusters/${CLUSTER}`, { token }), 404, 10003);
    expectFailure(await gateway.ask('GET', '/storages', { token }), 403, 70650);
  });
});
