import { afterAll, beforeAll, expect, it } from 'vitest';
import { CLUSTER, OTHER_CLUSTER } from '../testing/programmable-backends.ts';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

it('tells a caller who sees no cluster an empty fleet, as of now', async () => {
  const before = Date.now();
  const { status, body } = await gateway.ask('GET', '/fleet', { token: 'labelled-nothing' });
  expect(status).toBe(200);
  expect(body.data).toMatchObject({ clusters: [], counts: { never: 0, veryLate: 0, late: 0, noPlan: 0, inTime: 0 } });
  expect(Date.parse(body.data.asOf)).toBeGreaterThanOrEqual(before);
});

it('has a cluster that is not there for nobody', async () => {
  for (const token of ['admin', 'one-cluster'])
    expect(await gateway.ask('GET', '/fleet?clusterId=nosuch', { token })).toMatchObject({
      status: 404,
      body: { message: 'There is no cluster nosuch.' },
    });
  const query = `/fleet?clusterId=${CLUSTER}&clusterId=${OTHER_CLUSTER}`;
  expect(await gateway.ask('GET', query)).toMatchObject({ status: 200 });
});

it('says to scheduler-service whether its clusters were asked for', async () => {
  for (const [token, query, clusterIds, withinSight] of [
    ['one-cluster', '', [CLUSTER], true],
    ['one-cluster', `?clusterId=${CLUSTER}`, [CLUSTER], false],
    ['admin', '', [], true],
  ] as const) {
    await gateway.ask('GET', `/fleet${query}`, { token });
    expect(gateway.received('listFleet').request).toMatchObject({ clusterIds, withinSight });
  }
});

it.each([201, -1, 'x'])('says from which number on a page has rows where it has %s', async (pageSize) => {
  const answer = await gateway.ask('GET', `/fleet?pageSize=${pageSize}`);
  const description = 'must be a whole number from 1 to 200';
  expect(answer).toMatchObject({ status: 400, body: { details: { fields: [{ field: 'pageSize', description }] } } });
});
