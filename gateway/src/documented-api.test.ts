/**
 * What holds for every call of the documented API, to the byte, over a socket. Each test is named by its line in
 * `docs/api-contract-tests.md`, where the lines are that other files prove.
 */
import { buffer } from 'node:stream/consumers';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { AppError } from '@tidemark/errors/app-error';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { askAt, badFields, expectFailure, type Sent, sendTo } from './testing/http-client.ts';
import { BACKUP, CLUSTER, OTHER_BACKUP, OTHER_CLUSTER, sampleBackup } from './testing/programmable-backends.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
let port: number;
beforeAll(async () => {
  gateway = await startTestGateway();
  port = await gateway.listen();
});
afterEach(() => gateway.reset());
afterAll(() => gateway?.[Symbol.asyncDispose]());

const ask = (method: string, path: string, sent?: Sent) => askAt(port, method, path, sent);
const STRATEGY = `/clusters/${CLUSTER}/strategy`;
const CALLS: readonly [method: string, path: string, body: object | undefined][] = [
  ['GET', STRATEGY, undefined],
  ['PUT', STRATEGY, { strategy: { backupDate: 'Monday,Tuesday', period: '00:00-01:00' } }],
  ['POST', STRATEGY, { strategy: { backupDate: 'Monday,Tuesday', period: '00:00-01:00' } }],
  ['POST', '/backups', { clusterId: CLUSTER, backupMode: 'manual' }],
  ['POST', '/backups/cancel', { clusterId: CLUSTER, backupId: BACKUP }],
  ['GET', '/backups', undefined],
  ['DELETE', `/backups/${BACKUP}`, undefined],
];

describe.each(CALLS)('everywhere: %s %s', (method, path, body) => {
  it('E1 is the same with a slash at the end, and lies below /api/v1 alone', async () => {
    const [plain, slashed] = [
      await ask(method, path, { ...(body && { body }) }),
      await ask(method, `${path}/`, { ...(body && { body }) }),
    ];
    expect([plain.status, slashed.text]).toEqual([200, plain.text]);
    expectFailure(await ask(method, `/api${path}`, { ...(body && { body }) }), 404, 10001);
    expectFailure(await ask(method, `/api/v2${path}`, { ...(body && { body }) }), 404, 10001);
  });

  it('E2 takes its body with a length and in chunks, and none under any content type', async () => {
    const wanted = (await ask(method, path, { ...(body && { body }) })).text;
    expect((await ask(method, path, { body: body ?? {}, chunked: true })).text).toBe(wanted);
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'APPLICATION/JSON;Charset="UTF-8"',
      'text/plain',
    ]) {
      const headers = { 'content-type': type };
      expect((await ask(method, path, { ...(body && { body }), headers })).text).toBe(wanted);
      const none = await ask(method, path, { headers });
      if (body) expectFailure(none, 400, 10001);
      else expect(none.text).toBe(wanted);
    }
  });

  it('E3 wants a token', async () => {
    expectFailure(await ask(method, path, { ...(body && { body }), token: null }), 401, 70600);
    expectFailure(await ask(method, path, { ...(body && { body }), token: 'nobody' }), 401, 70600);
    expectFailure(await ask(method, path, { ...(body && { body }), token: 'expired' }), 401, 70602);
    expect(gateway.calls).toEqual([]);
  });

  it('E4 answers in the envelope, in the order of the document', async () => {
    const { text: answer, body: parsed, headers } = await ask(method, path, { ...(body && { body }) });
    expect(answer).toMatch(/^\{"code":0,"message":"OK","data":\{/);
    expect(Object.keys(parsed)).toEqual(
      method === 'GET' && path === '/backups' ? ['code', 'message', 'data', 'page'] : ['code', 'message', 'data'],
    );
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it.each(['x-request-id', 'EM-X-Trace-ID'])(
    'E6 takes a request id as %s and returns it under both names',
    async (name) => {
      const { headers } = await ask(method, path, { ...(body && { body }), headers: { [name]: 'their.id-1:2' } });
      expect(headers).toMatchObject({ 'x-request-id': 'their.id-1:2', 'em-x-trace-id': 'their.id-1:2' });
    },
  );

  it('E8 ignores fields that it does not know', async () => {
    const wanted = (await ask(method, path, { ...(body && { body }) })).text;
    const unknown = { operatorId: 7, page_token: null, '': '', nested: { list: [1, { a: null }] } };
    const more = (object: object) => ({ ...object, ...unknown });
    const inside = Object.entries(body ?? {}).map(([name, value]) => [
      name,
      value instanceof Object ? more(value) : value,
    ]);
    expect((await ask(method, path, { body: more(Object.fromEntries(inside)) })).text).toBe(wanted);
  });

  it('E16 answers HEAD like GET without a body, and OPTIONS with what is possible', async () => {
    const options = await ask('OPTIONS', path, { token: null });
    expect([options.status, options.text]).toEqual([204, '']);
    expect(options.headers.allow?.split(', ')).toEqual(expect.arrayContaining([method, 'OPTIONS']));
    if (method !== 'GET') return;
    const [head, get] = [await ask('HEAD', path), await ask('GET', path)];
    expect([head.status, head.text]).toEqual([200, '']);
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(get.text)));
    expect(head.headers['content-type']).toBe(get.headers['content-type']);
    expect(head.headers['ratelimit-limit']).toBeDefined();
  });
});

describe('everywhere', () => {
  it('E17 is compressed for who takes that, and plain for who does not', async () => {
    const wide = { brVersion: 'v'.repeat(2_000) };
    gateway.answers.listBackups = async () => ({ backups: [sampleBackup({ path: wide.brVersion })], total: 1n });
    const plain = (await ask('GET', '/backups')).text;
    const unpack = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };
    for (const [accepted, coding] of [
      ['gzip, deflate', 'gzip'],
      ['gzip, deflate, br', 'br'],
      ['gzip, deflate, br, zstd', 'zstd'],
      ['gzip;q=1.0, br;q=0.5, zstd;q=0', 'gzip'],
      ['*', 'zstd'],
    ] as const) {
      const response = await sendTo(port, 'GET', '/backups', { headers: { 'accept-encoding': accepted } });
      expect(response.headers['content-encoding'], accepted).toBe(coding);
      expect(response.headers.vary).toBe('accept-encoding');
      const bytes = await buffer(response);
      expect(response.headers['content-length']).toBe(String(bytes.length));
      expect(unpack[coding](bytes).toString()).toBe(plain);
    }
    for (const accepted of ['', 'identity', 'deflate', 'gzip;q=0', 'identity, gzip;q=0.5', 'nonsense;;q=x'])
      expect((await ask('GET', '/backups', { headers: { 'accept-encoding': accepted } })).text).toBe(plain);
  });

  it('E4 lists say their page beside the data', async () => {
    const { body } = await ask('GET', '/backups?page=1&pageSize=30');
    expect(Object.keys(body.page)).toEqual(['page', 'pageSize', 'total']);
    expect(body.page).toEqual({ page: 1, pageSize: 30, total: 2 });
    expect((await ask('GET', '/occurrences')).body.page).toEqual({ page: 1, pageSize: 10, total: 0 });
  });

  it('E5 a failure names each bad field, and has the id of its request', async () => {
    const answer = await ask('POST', '/backups/cancel', { body: {}, headers: { 'x-request-id': 'r-1' } });
    expectFailure(answer, 400, 10001);
    expect(answer.text).toMatch(
      /^\{"code":10001,"message":"[^"]+","data":\{\},"requestId":"r-1","details":\{"fields":\[/,
    );
    expect(badFields(answer)).toEqual(['clusterId', 'backupId']);
  });

  it.each([
    ['a blank', 'a b'],
    ['two of them', 'a, b'],
    ['too long a one', 'x'.repeat(129)],
    ['markup', '<script>alert(1)</script>'],
    ['an expression', `$\{jndi:ldap://127.0.0.1/a}`],
    ['JSON', '{"a":1}'],
    ['another alphabet', 'é'],
    ['a tab', 'a\tb'],
    ['nothing', ''],
    ['a path', '../../etc/passwd'],
  ])('E6 takes no request id with %s, and makes one', async (_, id) => {
    for (const name of ['x-request-id', 'em-x-trace-id'])
      for (const path of ['/backups', '/backups?page=-1', '/nothing']) {
        const { headers } = await ask('GET', path, { headers: { [name]: id } });
        expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
        expect(headers['em-x-trace-id']).toBe(headers['x-request-id']);
      }
    expect(gateway.received('listBackups').headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('E6 takes x-request-id where both are sent, and the other where that one is mad', async () => {
    const both = await ask('GET', '/backups', { headers: { 'x-request-id': 'new', 'em-x-trace-id': 'old' } });
    expect(both.headers['em-x-trace-id']).toBe('new');
    const mad = await ask('GET', '/backups', { headers: { 'x-request-id': 'a b', 'em-x-trace-id': 'old' } });
    expect(mad.headers['x-request-id']).toBe('old');
    const twice = await ask('GET', '/backups', { headers: { 'x-request-id': ['a', 'b'] } });
    expect(twice.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ['an unknown route', 'GET', '/nothing', '', 404],
    ['an unknown route behind a known one', 'GET', `/backups/${BACKUP}/x/y`, '', 404],
    ['a wrong method', 'PATCH', '/backups', '', 405],
    ['a wrong method of a deeper path', 'PUT', '/backups/cancel', '', 405],
    ['a method that nobody has', 'PROPFIND', '/backups', '', 405],
    ['a body that is no JSON', 'POST', '/backups', 'clusterId=1', 400],
    ['a body that is too large', 'POST', '/backups', `"${'x'.repeat(1024 * 1024)}"`, 413],
  ])('E7 %s answers in the envelope', async (_, method, path, body, status) => {
    const answer = await ask(method, path, { body });
    expectFailure(answer, status, 10001);
    if (status === 405) expect(answer.headers.allow).toContain('OPTIONS');
  });

  it('E9 what a generated client sends for nothing counts as left out', async () => {
    for (const nothing of ['', null]) {
      const optional = { clusterId: CLUSTER, backupMode: nothing, backupType: nothing };
      expect((await ask('POST', '/backups', { body: optional })).status).toBe(200);
      const filters = { clusterId: nothing, backupId: nothing, backupMode: nothing, status: nothing, page: nothing };
      expect((await ask('GET', '/backups', { body: filters })).body.page).toEqual({ page: 1, pageSize: 10, total: 2 });
      const required = await ask('POST', '/backups', { body: { clusterId: nothing } });
      expectFailure(required, 400, 10001);
      expect(badFields(required)).toEqual(['clusterId']);
      const both = await ask('POST', '/backups/cancel', { body: { clusterId: nothing, backupId: nothing } });
      expect(badFields(both)).toEqual(['clusterId', 'backupId']);
      const owned = await ask('DELETE', `/backups/${BACKUP}`, { body: { clusterId: nothing } });
      expect(owned.status).toBe(200);
      const strategy = { clusterId: nothing, backupDate: 'Monday', period: '7:00-9:00' };
      expect((await ask('PUT', STRATEGY, { body: { strategy } })).status).toBe(200);
    }
    expect((await ask('GET', '/backups?clusterId=&backupId=&backupMode=&page=&pageSize=')).status).toBe(200);
  });

  it('E10 startTime=0, endTime=0, page=0 and pageSize=0 are not set', async () => {
    for (const sent of [
      { path: '/backups?startTime=0&endTime=0&page=0&pageSize=0' },
      { path: '/backups', body: { startTime: 0, endTime: 0, page: 0, pageSize: 0 } },
    ]) {
      const { body } = await ask('GET', sent.path, { ...(sent.body && { body: sent.body }) });
      expect(body.page).toMatchObject({ page: 1, pageSize: 10 });
      const { startedAtOrAfter, endedAtOrBefore } = gateway.received('listBackups').request;
      expect([startedAtOrAfter, endedAtOrBefore]).toEqual([undefined, undefined]);
    }
  });

  it('E11 a body of GET /backups is read where the query is silent', async () => {
    const body = { clusterId: OTHER_CLUSTER, backupId: BACKUP, page: '3', pageSize: 7 };
    const answer = await ask('GET', `/backups?clusterId=${CLUSTER}&page=`, { body });
    expect(gateway.received('listBackups').request).toMatchObject({
      clusterIds: [CLUSTER],
      id: BACKUP,
      page: 3,
      pageSize: 7,
    });
    expect(answer.body.page).toMatchObject({ page: 3, pageSize: 7 });
  });

  it.each(['a.b', 'a b', 'ä', 'x'.repeat(65), 'a/b', '$x', '%00'])('E12 %s is no id', async (id) => {
    const escaped = encodeURIComponent(id);
    for (const [method, path] of [
      ['GET', `/clusters/${escaped}/strategy`],
      ['DELETE', `/backups/${escaped}`],
      ['GET', `/backups?backupId=${escaped}`],
    ] as const)
      expectFailure(await ask(method, path), 400, 10001);
    expectFailure(await ask('POST', '/backups', { body: { clusterId: id } }), 400, 10001);
  });

  it('E12 ids are decoded, also where every character is escaped', async () => {
    const escaped = [...CLUSTER].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('');
    expect((await ask('GET', `/clusters/${escaped}/strategy`)).body.data.strategy.clusterId).toBe(CLUSTER);
    expect((await ask('GET', `/backups?clusterId=${escaped}`)).status).toBe(200);
    expect((await ask('GET', `/clusters/${'x'.repeat(64)}/strategy`)).status).toBe(404);
  });

  it('E13 times are RFC 3339, and year 1 where nothing has happened', async () => {
    const happened = (await ask('GET', `/backups/${BACKUP}`)).body.data.backup;
    for (const name of ['startTime', 'endTime', 'createTime', 'updateTime'])
      expect(happened[name]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
    expect(happened.deleteTime).toBe('0001-01-01T00:00:00Z');
    gateway.answers.getBackup = async () => ({
      backup: sampleBackup({ endTime: undefined as never, result: undefined as never }),
    });
    const { text: answer } = await ask('GET', `/backups/${BACKUP}`);
    expect(answer).toContain('"endTime":"0001-01-01T00:00:00Z"');
    expect(answer).toContain('"size":0,"backupTso":"0",');
  });

  it('E14 a TSO is a text to its last digit', async () => {
    gateway.answers.getBackup = async () => ({ backup: sampleBackup({ result: { tso: 2n ** 63n - 1n } }) });
    expect((await ask('GET', `/backups/${BACKUP}`)).text).toContain('"backupTso":"9223372036854775807"');
  });

  it('E15 a size is a number of MiB, also where it is none and where it is huge', async () => {
    for (const [sizeBytes, size] of [
      [0n, 0],
      [1n, 0],
      [1_572_864n, 1.5],
      [2n ** 50n, 2 ** 30],
    ] as const) {
      gateway.answers.getBackup = async () => ({ backup: sampleBackup({ result: { sizeBytes } }) });
      const shown = (await ask('GET', `/backups/${BACKUP}`)).body.data.backup.size;
      expect(typeof shown).toBe('number');
      expect(shown).toBeCloseTo(size, 3);
    }
  });

  it('E18 a parameter that comes twice is refused by its name, whichever comes last', async () => {
    for (const [query, field] of [
      ['page=1&page=2', 'page'],
      ['pageSize=10&pageSize=10', 'pageSize'],
      [`clusterId=${CLUSTER}&clusterId=${OTHER_CLUSTER}`, 'clusterId'],
      [`backupId=${BACKUP}&backupId=`, 'backupId'],
      ['status=Failed&status=Finished', 'status'],
      ['startTime=1&startTime=2', 'startTime'],
    ] as const) {
      const answer = await ask('GET', `/backups?${query}`);
      expectFailure(answer, 400, 10001);
      expect(badFields(answer)).toEqual([field]);
    }
    expect((await ask('GET', `/backups?page=1&page=2`)).body.details.fields[0].description).toContain('once');
    expect((await ask('GET', '/backups?unknown=1&unknown=2')).status).toBe(200);
    expect(gateway.calls).toHaveLength(1);
  });

  it('E19 numbers may be written as texts', async () => {
    for (const body of [
      { page: 2, pageSize: 3, startTime: 1651104041 },
      { page: '2', pageSize: ' 3', startTime: '1651104041' },
    ]) {
      expect((await ask('GET', '/backups', { body })).body.page).toMatchObject({ page: 2, pageSize: 3 });
      expect(gateway.received('listBackups').request.startedAtOrAfter.seconds).toBe(1651104041n);
    }
  });
});

describe('the table of conditions', () => {
  const fail =
    (code: ConstructorParameters<typeof AppError>[0], details = {}) =>
    async () => {
      throw new AppError(code, 'It is so.', details);
    };
  it('T1 fine is 200 with 0', async () => expect((await ask('GET', '/backups')).body.code).toBe(0));

  it('T2 what nobody expected is a 500 whose text stays in the log', async () => {
    gateway.answers.listClusters = async () => {
      throw new Error('password=hush');
    };
    const answer = await ask('GET', '/clusters');
    expectFailure(answer, 500, 10000);
    expect(answer.text).not.toContain('hush');
  });

  it('T4 an unknown cluster, or a foreign one, is a 404 with 10003', async () => {
    for (const path of [
      '/clusters/nobody/strategy',
      '/clusters/nobody/occurrences',
      '/clusters/nobody',
      '/backups?clusterId=nobody',
    ]) {
      expectFailure(await ask('GET', path), 404, 10003);
      const foreign = await ask('GET', path.replace('nobody', OTHER_CLUSTER), { token: 'one-cluster' });
      expectFailure(foreign, 404, 10003);
      expect(foreign.body.message).toBe((await ask('GET', path)).body.message.replace('nobody', OTHER_CLUSTER));
    }
    expectFailure(await ask('POST', '/backups', { body: { clusterId: 'nobody' } }), 404, 10003);
  });

  it('T5 a busy cluster is a 409 that names the backup', async () => {
    gateway.answers.startBackup = fail('cluster_busy', { info: { backupId: BACKUP } });
    const answer = await ask('POST', '/backups', { body: { clusterId: CLUSTER } });
    expectFailure(answer, 409, 20114);
    expect(answer.body.details).toMatchObject({ backupId: BACKUP });
  });

  it('T6 a storage that is unknown is a 404, one that cannot be used a 400', async () => {
    gateway.answers.startBackup = fail('storage_not_found');
    expectFailure(await ask('POST', '/backups', { body: { clusterId: CLUSTER } }), 404, 20600);
    gateway.answers.startBackup = fail('storage_unusable');
    expectFailure(await ask('POST', '/backups', { body: { clusterId: CLUSTER } }), 400, 20601);
  });

  it.each([
    ['T7', 'POST', '/backups', { clusterId: CLUSTER }, 'startBackup', 20602],
    ['T7', 'POST', '/backups/cancel', { clusterId: CLUSTER, backupId: BACKUP }, 'cancelBackup', 20602],
    ['T7', 'DELETE', `/backups/${BACKUP}`, undefined, 'deleteBackup', 20603],
    ['T7', 'GET', '/backups', undefined, 'listBackups', 20604],
    ['T7', 'GET', `/backups/${BACKUP}`, undefined, 'getBackup', 20604],
    ['T9', 'PUT', STRATEGY, { strategy: { backupDate: 'Monday' } }, 'saveStrategy', 20605],
    ['T9', 'GET', STRATEGY, undefined, 'getStrategy', 20606],
    ['T9', 'DELETE', STRATEGY, undefined, 'deleteStrategy', 20607],
  ] as const)(
    '%s %s %s that fails inside has the number of the operation: 500, or 503 with Retry-After',
    async (_, method, path, body, call, number) => {
      gateway.answers[call] = fail('internal') as never;
      expectFailure(await ask(method, path, { ...(body && { body }) }), 500, number);
      gateway.answers[call] = fail('unavailable') as never;
      const away = await ask(method, path, { ...(body && { body }) });
      expectFailure(away, 503, number);
      expect(away.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    },
  );

  it('T8 a backup that is active, pinned or held is not deleted: 409 with 20603', async () => {
    gateway.answers.deleteBackup = fail('backup_in_use');
    expectFailure(await ask('DELETE', `/backups/${BACKUP}`), 409, 20603);
  });

  it('T10 an unknown backup, or one of a foreign cluster, is a 404 with 20610', async () => {
    for (const [method, path] of [
      ['GET', '/backups/ID'],
      ['DELETE', '/backups/ID'],
      ['GET', '/backups/ID/events'],
      ['GET', '/backups/ID/log'],
      ['PUT', '/backups/ID/pin'],
    ] as const) {
      expectFailure(await ask(method, path.replace('ID', 'nobody')), 404, 20610);
      expectFailure(await ask(method, path.replace('ID', OTHER_BACKUP), { token: 'one-cluster' }), 404, 20610);
    }
    const body = { clusterId: CLUSTER, backupId: 'nobody' };
    expectFailure(await ask('POST', '/backups/cancel', { body }), 404, 20610);
  });

  it('T11 to cancel what is over is a 409 with 20611', async () => {
    gateway.answers.cancelBackup = fail('backup_over');
    expectFailure(await ask('POST', '/backups/cancel', { body: { clusterId: CLUSTER, backupId: BACKUP } }), 409, 20611);
  });

  it('T12 tokens: none or unknown, expired, not allowed', async () => {
    for (const authorization of [
      '',
      'Bearer',
      'Bearer  ',
      'Basic YWRtaW4=',
      'admin',
      'Bearer admin admin',
      'Bearer nobody',
    ])
      expectFailure(await ask('GET', '/backups', { token: null, headers: { authorization } }), 401, 70600);
    const none = await ask('GET', '/backups', { token: null });
    expectFailure(none, 401, 70600);
    expect(none.headers['www-authenticate']).toMatch(/^Bearer/);
    expectFailure(await ask('GET', '/backups', { token: 'expired' }), 401, 70602);
    expectFailure(await ask('POST', '/backups', { token: 'viewer', body: { clusterId: CLUSTER } }), 403, 70650);
  });

  it('T13 too many requests are a 429 with Retry-After', async () => {
    await using slow = await startTestGateway({ rate: { perSecond: 1, burst: 1 } });
    await slow.ask('GET', '/backups');
    expect(await slow.ask('GET', '/backups')).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1' },
      body: { code: 10000, data: {} },
    });
  });
});
