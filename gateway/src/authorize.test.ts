import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppError } from '@tidemark/errors/app-error';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, ROLES, type Role } from './authenticate.ts';
import { authorizeCall, CALL_SUBJECT, type Call, NEEDED_ROLE } from './authorize.ts';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER } from './testing/programmable-backends.ts';
import { type Answer, expectFailure, startTestGateway, type TestGateway } from './testing/test-gateway.ts';

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

/** Calls that reached the services, without those that look up which clusters have a label. */
const reached = () =>
  gateway.calls.filter(({ method, request }) => method !== 'listClusters' || request.pageSize === 0);

const LIMITED = {
  'to named clusters': { viewer: 'one-cluster-viewer', operator: 'one-cluster', admin: 'one-cluster-admin' },
  'by labels': { viewer: 'labelled-viewer', operator: 'labelled', admin: 'labelled-admin' },
} as const;
const OF_EVERYTHING = CALLS.filter(([call]) => CALL_SUBJECT[call] === 'everything');
const OF_ONE_CLUSTER = CALLS.map(([call]) => call).filter(
  (call) => CALL_SUBJECT[call] !== 'everything' && call !== 'listClusters',
);

describe.each(Object.entries(LIMITED))('a token that is limited %s', (_, tokens) => {
  describe.each(ROLES)('with the role %s', (role) => {
    const token = tokens[role];

    it.each(CALLS.filter(([call]) => CALL_SUBJECT[call] !== 'everything'))(
      'may call %s for its own cluster if the table of roles says so, and is a 403 otherwise',
      async (call, [method, path, body]) => {
        gateway.calls.length = 0;
        const answer = await gateway.ask(method, path, { token, body });
        if (ROLES.indexOf(role) >= ROLES.indexOf(NEEDED_ROLE[call])) expect(answer.status).toBe(200);
        else expectFailure(answer, 403, 70650);
        expect(reached().some(({ method: received }) => received === call)).toBe(answer.status === 200);
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
        expectFailure(foreign, 404, CALL_SUBJECT[call] === 'backup' ? 20610 : 10003);
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
    await gateway.ask('GET', '/occurrences', { token });
    expect(gateway.received('listOccurrences').request.clusterIds).toEqual([expect.stringMatching(/^none-/)]);
    expectFailure(await gateway.ask('GET', `/clusters/${CLUSTER}`, { token }), 404, 10003);
    expectFailure(await gateway.ask('GET', '/storages', { token }), 403, 70650);
  });
});

describe('the verdict without a route', () => {
  const caller = (role: Role, clusters: string[]): Caller => ({ tokenId: 't', name: 'n', role, clusters });
  const verdict = (...args: Parameters<typeof authorizeCall>) => {
    try {
      authorizeCall(...args);
      return 'allowed';
    } catch (error) {
      return (error as AppError).code;
    }
  };

  it.each(CALLS)('is that of the routes, for %s, every role and every limit', async (call, [method, path, body]) => {
    const subject = CALL_SUBJECT[call];
    const ofOne = subject === 'cluster' || subject === 'backup' || path.includes(CLUSTER);
    for (const role of ROLES)
      for (const [token, clusters] of [
        [role, ['*']],
        [LIMITED['to named clusters'][role], [CLUSTER]],
        [LIMITED['by labels'][role], [CLUSTER]],
      ] as const) {
        const { status, body: answered } = await gateway.ask(method, path, { token, body });
        const said = verdict(caller(role, [...clusters]), call, ofOne ? CLUSTER : undefined, BACKUP);
        expect([said, status]).toEqual(answered.code === 70650 ? ['permission_denied', 403] : ['allowed', 200]);
      }
    if (!ofOne) return;
    const unknown = subject === 'backup' ? 'backup_not_found' : 'cluster_not_found';
    for (const role of ROLES) expect(verdict(caller(role, [CLUSTER]), call, OTHER_CLUSTER, OTHER_BACKUP)).toBe(unknown);
  });

  it('is no where a call names neither cluster nor backup and must', () => {
    expect(verdict(caller('admin', ['*']), 'putCluster', undefined)).toBe('cluster_not_found');
    expect(verdict(caller('admin', ['*']), 'deleteBackup', undefined)).toBe('backup_not_found');
  });
});

it('has its table in docs/access.md', async () => {
  const page = await readFile(join(import.meta.dirname, '..', '..', 'docs', 'access.md'), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| `[a-z]\w+` \|/.test(line));
  expect(rows).toEqual(
    CALLS.map(([call]) => {
      const may = ROLES.map((role) => (ROLES.indexOf(role) >= ROLES.indexOf(NEEDED_ROLE[call]) ? 'yes' : ''));
      return `| \`${call}\` | ${CALL_SUBJECT[call]} | ${may.join(' | ')} |`;
    }),
  );
});
