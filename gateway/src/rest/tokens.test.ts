import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { invalidArgument } from '@tidemark/errors/app-error';
import { TokenRole } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { accessLog, auditLog, log } from '../logger.ts';
import { CLUSTER, OTHER_CLUSTER } from '../testing/programmable-backends.ts';
import { badFields, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

const create = (body: object, token = 'admin') => gateway.ask('POST', '/tokens', { token, body });
const BODY = { name: 'ci', role: 'viewer' };

it('makes, shows and revokes tokens, and has the secret in one answer and in no log', async () => {
  const lines = [log, accessLog, auditLog].map((one) => vi.spyOn(one, 'info').mockImplementation(() => undefined));
  const expireTime = '2100-01-01T00:00:00.000Z';
  const { body } = await create({ ...BODY, clusters: ['*'], expireTime });
  expect(gateway.received('createToken').request).toMatchObject({
    name: 'ci',
    role: TokenRole.VIEWER,
    allClusters: true,
    clusterIds: [],
    expireTime: timestampFromDate(new Date(expireTime)),
  });
  expect(body.data).toMatchObject({ secret: 'tdms_word', token: { id: 't1', name: 'ci', role: 'viewer' } });
  await gateway.ask('DELETE', '/tokens/t1');
  expect(gateway.received('revokeToken').request).toMatchObject({ id: 't1' });
  gateway.answers.listTokens = async () => ({
    tokens: [{ id: 't2', name: 'b', role: TokenRole.ADMIN, allClusters: true }],
  });
  const listed = await gateway.ask('GET', '/tokens');
  expect(listed.body.data.tokens).toMatchObject([{ id: 't2', role: 'admin', clusters: ['*'] }]);
  const logged = JSON.stringify(lines.flatMap(({ mock }) => mock.calls));
  expect(logged).toContain('"what":"create token"');
  expect(logged).toContain('"what":"revoke token"');
  expect(logged).toContain('"token":"t1"');
  expect(logged).not.toContain('tdms_word');
  vi.restoreAllMocks();
});

it('lets an admin of some clusters make tokens for these alone', async () => {
  gateway.calls.length = 0;
  for (const [fields, status] of [
    [{ clusters: ['*'] }, 403],
    [{ labels: { env: 'prod' } }, 403],
    [{ clusters: [CLUSTER, OTHER_CLUSTER] }, 404],
  ] as const)
    expect((await create({ ...BODY, ...fields }, 'one-cluster-admin')).status).toBe(status);
  expect((await create({ ...BODY, clusters: ['x'] }, 'labelled-nothing')).status).toBe(404);
  expect((await create(BODY, 'labelled-nothing')).status).toBe(403);
  expect(gateway.calls.map(({ method }) => method)).not.toContain('createToken');
  for (const fields of [{}, { clusters: [CLUSTER] }]) {
    expect((await create({ ...BODY, ...fields }, 'one-cluster-admin')).status).toBe(200);
    expect(gateway.received('createToken').request).toMatchObject({ clusterIds: [CLUSTER], allClusters: false });
  }
  await gateway.ask('DELETE', '/tokens/t1', { token: 'one-cluster-admin' });
  expect(gateway.received('revokeToken').request).toMatchObject({ id: 't1', clusterIds: [CLUSTER] });
});

it('names fields that the service refuses as the body does', async () => {
  await using gateway = await startTestGateway();
  gateway.answers.createToken = async () => {
    throw invalidArgument([
      { field: 'clusterIds', description: 'must name a cluster' },
      { field: 'name', description: 'must not be one of these' },
    ]);
  };
  const answer = await gateway.ask('POST', '/tokens', { body: { ...BODY, clusters: [] } });
  expect([answer.status, badFields(answer)]).toEqual([400, ['clusters', 'name']]);
  expect(answer.body.message).toBe('clusters: must name a cluster; name: must not be one of these');
});

it.each([
  [{ role: 'root' }, ['role']],
  [{ clusters: ['*', 'a'] }, ['clusters']],
  [{ clusters: ['no.id'] }, ['clusters']],
  [{ expireTime: 'soon' }, ['expireTime']],
  [{ name: '' }, ['name']],
  [{ expires: '2027-01-31T00:00:00Z' }, ['expires']],
])('refuses %j by the name of the field', async (fields, names) => {
  const answer = await create({ ...BODY, ...fields });
  expect(answer.status).toBe(400);
  if (names.includes('name')) expect(answer.body.message).toContain('1 to 128 characters');
  expect(badFields(answer).map((one) => one.split('.')[0])).toEqual(names);
});
