import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BACKUP, CLUSTER } from './testing/programmable-backends.ts';
import { type Answer, badFields, expectFailure, startTestGateway, type TestGateway } from './testing/test-gateway.ts';

/** Every route, with a body that it takes. */
const ROUTES: readonly (readonly [method: string, path: string, body: object | undefined])[] = [
  ['GET', `/clusters/${CLUSTER}/strategy`, undefined],
  ['PUT', `/clusters/${CLUSTER}/strategy`, { strategy: { backupDate: 'Monday', period: '1:00-2:00' } }],
  ['POST', `/clusters/${CLUSTER}/strategy`, { strategy: { backupDate: 'Monday', period: '1:00-2:00' } }],
  ['DELETE', `/clusters/${CLUSTER}/strategy`, undefined],
  ['POST', '/backups', { clusterId: CLUSTER }],
  ['POST', '/backups/cancel', { clusterId: CLUSTER, backupId: BACKUP }],
  ['GET', '/backups', undefined],
  ['GET', `/backups/${BACKUP}`, undefined],
  ['DELETE', `/backups/${BACKUP}`, undefined],
  ['GET', '/clusters', undefined],
  ['GET', `/clusters/${CLUSTER}`, undefined],
  ['PUT', `/clusters/${CLUSTER}`, { storageId: 'nfs', pd: ['127.0.0.1:2379'] }],
  ['DELETE', `/clusters/${CLUSTER}`, undefined],
  ['GET', `/clusters/${CLUSTER}/occurrences`, undefined],
  ['GET', '/occurrences', undefined],
  ['GET', '/storages', undefined],
  ['GET', '/storages/nfs', undefined],
  ['PUT', '/storages/nfs', { type: 'local', path: '/mnt/nfs' }],
  ['DELETE', '/storages/nfs', undefined],
];

describe('what holds for every route', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await startTestGateway();
  });
  afterAll(() => gateway[Symbol.asyncDispose]());
  const ask: TestGateway['ask'] = (...all) => gateway.ask(...all);

  it.each(ROUTES)('%s %s answers the same with a trailing slash', async (method, path, body) => {
    const [plain, slashed] = [await ask(method, path, { body }), await ask(method, `${path}/`, { body })];
    expect(plain).toMatchObject({ status: 200, body: { code: 0, message: 'OK' } });
    expect(slashed).toMatchObject({ status: 200, body: plain.body });
  });

  it.each(ROUTES)('%s %s ignores fields that it does not know', async (method, path, body) => {
    const answer = await ask(method, path, { body: { ...body, operatorId: 7, page_token: null, nested: { a: [1] } } });
    expect(answer).toMatchObject({ status: 200, body: { code: 0 } });
  });

  it.each(ROUTES.filter(([, , body]) => !body))(
    '%s %s takes an empty body under a JSON content type',
    async (method, path) => {
      const none = await ask(method, path);
      expect(none).toMatchObject({ status: 200, body: { code: 0 } });
      for (const body of ['', ' \r\n', '{}', 'null']) {
        const empty = await ask(method, path, { body, headers: { 'content-length': String(body.length) } });
        expect(empty).toMatchObject({ status: 200, body: none.body });
      }
    },
  );

  it.each(ROUTES.filter(([method, , body]) => body && method !== 'PUT'))(
    '%s %s takes an empty body for an empty object, and names what is missing',
    async (method, path) => {
      const [nothing, object] = [await ask(method, path), await ask(method, path, { body: '{}' })];
      expectFailure(nothing, 400, 10001);
      expect(badFields(nothing)).toEqual(badFields(object));
      expect(badFields(nothing)).not.toContain('body');
    },
  );

  it.each([
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/vnd.api+json',
    'text/plain',
    'application/x-www-form-urlencoded',
    '*/*',
    'nonsense',
  ])('reads JSON under the content type %s', async (type) => {
    const answer = await ask('POST', '/backups', {
      body: { clusterId: CLUSTER },
      headers: { 'content-type': type },
    });
    expect(answer).toMatchObject({ status: 200, body: { data: { backupId: BACKUP } } });
  });

  it('decodes percent-encoded ids', async () => {
    expect(await ask('GET', '/clusters/test%2Dtidb/strategy')).toMatchObject({
      status: 200,
      body: { data: { strategy: { clusterId: 'test-tidb' } } },
    });
  });

  it('answers an unknown route with 404 in the envelope', async () => {
    for (const path of [
      '/api/v1/nothing',
      '/api/v2/backups',
      '/nothing',
      '/api/v1',
      `/api/v1/backups/${BACKUP}/nothing`,
    ])
      expectFailure(await at(path), 404, 10001);
  });
  const at = (path: string): Promise<Answer> => ask('GET', path.startsWith('/api') ? path : `/api/..${path}`);

  it.each([
    ['PATCH', '/backups', 'GET, HEAD, OPTIONS, POST'],
    ['DELETE', '/backups/', 'GET, HEAD, OPTIONS, POST'],
    ['PUT', `/backups/${BACKUP}`, 'DELETE, GET, HEAD, OPTIONS'],
    ['PATCH', `/clusters/${CLUSTER}/strategy`, 'DELETE, GET, HEAD, OPTIONS, POST, PUT'],
    ['QUERY', '/clusters', 'GET, HEAD, OPTIONS'],
  ])('answers %s %s with 405 and says what is allowed', async (method, path, allow) => {
    for (const headers of [undefined, { 'content-type': undefined as never }]) {
      const answer = await ask(method, path, { ...(headers && { headers }) });
      expectFailure(answer, 405, 10001);
      expect(answer.headers.allow).toBe(allow);
    }
  });

  it('answers OPTIONS with what is allowed', async () => {
    const answer = await ask('OPTIONS', '/backups', { token: null });
    expect(answer).toMatchObject({ status: 204, headers: { allow: 'GET, HEAD, OPTIONS, POST' } });
  });

  it.each(['x-request-id', 'EM-X-Trace-ID'])(
    'takes the request id from %s and returns it under both names',
    async (name) => {
      for (const path of ['/backups', '/nothing', '/backups?page=-1']) {
        const { headers } = await ask('GET', path, { headers: { [name]: 'their-id.1' } });
        expect(headers).toMatchObject({ 'x-request-id': 'their-id.1', 'em-x-trace-id': 'their-id.1' });
      }
      await ask('GET', '/backups', { headers: { [name]: 'their-id.2' } });
      expect(gateway.received('listBackups').headers.get('x-request-id')).toBe('their-id.2');
    },
  );

  it('makes a request id when none came or a mad one', async () => {
    const ids = new Set<unknown>();
    for (const sent of [undefined, '', 'a b', 'x'.repeat(129)])
      ids.add(
        (await ask('GET', '/backups', { headers: sent === undefined ? {} : { 'x-request-id': sent } })).headers[
          'x-request-id'
        ],
      );
    expect(ids.size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('gives the services the name of the caller', async () => {
    await ask('GET', '/backups', { token: 'operator' });
    expect(gateway.received('listBackups').headers.get('x-tidemark-caller')).toBe('token operator');
    expect(gateway.received('listBackups').headers.get('authorization')).toBeNull();
  });

  it('never lets a client choose the caller that the services see', async () => {
    await ask('GET', '/backups', { token: 'operator', headers: { 'x-tidemark-caller': 'somebody else' } });
    expect(gateway.received('listBackups').headers.get('x-tidemark-caller')).toBe('token operator');
  });

  it('names every bad field at once', async () => {
    const answer = await ask('POST', '/backups/cancel', { body: { clusterId: 'no/good', backupId: 7 } });
    expectFailure(answer, 400, 10001);
    expect(answer.body.details.fields).toEqual([
      { field: 'clusterId', description: expect.stringContaining('1 to 64') },
      { field: 'backupId', description: 'must be a text' },
    ]);
  });

  it('answers a body over 1 MiB with 413 in the envelope', async () => {
    const body = JSON.stringify({ clusterId: CLUSTER, filler: 'x'.repeat(1024 * 1024) });
    expectFailure(await ask('POST', '/backups', { body }), 413, 10001);
  });

  it.each(['{', '{"clusterId":', 'clusterId=1', '{"a":1}}', "{'clusterId':1}"])(
    'answers the body %s, which is no JSON, with 400',
    async (body) => {
      const answer = await ask('POST', '/backups', { body });
      expectFailure(answer, 400, 10001);
      expect(badFields(answer)).toEqual(['body']);
    },
  );
});

it('proves itself to the services with the service token', async () => {
  await using gateway = await startTestGateway({ serviceToken: 'between-us' });
  await gateway.ask('GET', '/backups');
  expect(gateway.received('listBackups').headers.get('authorization')).toBe('Bearer between-us');
});

it('answers 429 with Retry-After once a token has spent its burst, and leaves other tokens alone', async () => {
  await using gateway = await startTestGateway({ rate: { perSecond: 0.1, burst: 2 } });
  for (let i = 0; i < 2; i += 1) expect((await gateway.ask('GET', '/backups')).status).toBe(200);
  const refused = await gateway.ask('GET', '/backups');
  expectFailure(refused, 429, 10000);
  expect(refused.headers['retry-after']).toMatch(/^(9|10)$/);
  expect((await gateway.ask('GET', '/backups', { token: 'viewer' })).status).toBe(200);
});
