import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AuditOutcome } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const TIME = '2026-12-01T12:00:00.000Z';
const time = timestampFromDate(new Date(TIME));
const COMMON = { caller: 'ci', callerId: 't1', from: '10.0.0.1', requestId: 'r1' };

it('shows who changed what, and how that ended', async () => {
  gateway.answers.listAuditEntries = async () => ({
    entries: [
      { ...COMMON, id: 'e1', time, what: 'put cluster', clusterId: CLUSTER, status: 200, outcome: AuditOutcome.OK },
      {
        ...COMMON,
        ...{ id: 'e2', time, what: 'put storage', storageId: 'nfs', status: 403 },
        ...{ code: 'permission_denied', outcome: AuditOutcome.REFUSED },
      },
    ],
    nextPageToken: 'YTEg',
  });
  const query = `caller=ci&what=put%20cluster&outcome=refused&from=${TIME}&to=2026-12-02T00:00:00Z&pageSize=2&pageToken=YTAg`;
  const { body } = await gateway.ask('GET', `/audit?${query}`);
  expect(gateway.received('listAuditEntries').request).toMatchObject({
    ...{ caller: 'ci', what: 'put cluster', outcome: AuditOutcome.REFUSED, pageSize: 2, pageToken: 'YTAg' },
    ...{ from: time, clusterIds: [], withinSight: true, limitedCaller: false },
  });
  expect(body.data).toEqual({
    entries: [
      { ...COMMON, id: 'e1', time: TIME, what: 'put cluster', clusterId: CLUSTER, status: 200, outcome: 'ok' },
      {
        ...COMMON,
        ...{ id: 'e2', time: TIME, what: 'put storage', storageId: 'nfs', status: 403 },
        ...{ code: 'permission_denied', outcome: 'refused' },
      },
    ],
    pageToken: 'YTEg',
  });
});

it('asks for the clusters of the caller alone, and says that there are others', async () => {
  await gateway.ask('GET', '/audit', { token: 'one-cluster-admin' });
  const { request } = gateway.received('listAuditEntries');
  expect(request).toMatchObject({ clusterIds: [CLUSTER], withinSight: true, limitedCaller: true, pageSize: 10 });
  await gateway.ask('GET', `/audit?clusterId=${CLUSTER}`, { token: 'one-cluster-admin' });
  const { request: asked } = gateway.received('listAuditEntries');
  expect(asked).toMatchObject({ clusterIds: [CLUSTER], withinSight: false, limitedCaller: true });
});

it('tells a cluster that was never there apart from one about which nothing is known', async () => {
  gateway.answers.listAuditEntries = async () => ({});
  expect((await gateway.ask('GET', `/audit?clusterId=${CLUSTER}`)).status).toBe(200);
  expect((await gateway.ask('GET', '/audit?clusterId=nobody')).status).toBe(404);
});

it.each([
  ['clusterId=no.id', 'clusterId'],
  ['outcome=bad', 'outcome'],
  ['from=yesterday', 'from'],
  [`what=${'x'.repeat(65)}`, 'what'],
  ['caller=a&caller=b', 'caller'],
  ['pageSize=1001', 'pageSize'],
  ['pageToken=3_1', 'pageToken'],
  ['status=403', 'status'],
])('refuses %s by its name', async (query, field) => {
  expect(badFields(await gateway.ask('GET', `/audit?${query}`))).toEqual([field]);
});
