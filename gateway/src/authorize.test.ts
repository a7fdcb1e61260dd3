import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLUSTER, OTHER_BACKUP, OTHER_CLUSTER } from './testing/programmable-backends.ts';
import { type Answer, expectFailure, startTestGateway, type TestGateway } from './testing/test-gateway.ts';

type Request = readonly [method: string, path: string, body?: object];

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

/** Calls that reached the services, without those that look up which clusters have a label. */
const reached = () =>
  gateway.calls.filter(({ method, request }) => method !== 'listClusters' || (request.ids?.length ?? 0) > 0);

const LIMITED = {
  'to named clusters': { viewer: 'one-cluster-viewer', operator: 'one-cluster', admin: 'one-cluster-admin' },
  'by labels': { viewer: 'labelled-viewer', operator: 'labelled', admin: 'labelled-admin' },
} as const;
describe.each(Object.entries(LIMITED))('a token that is limited %s', (_, tokens) => {
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
