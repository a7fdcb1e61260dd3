/**
 * Bad input by hand, as bytes on a socket: each a clear 4xx in the envelope, nothing saved, and a gateway that lives on
 * with the memory it had.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { BACKUP, CLUSTER } from './testing/programmable-backends.ts';
import { exchange, open, readAnswer, requestOf } from './testing/raw-http.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
let port: number;
beforeAll(async () => {
  gateway = await startTestGateway();
  port = await gateway.listen();
});
afterAll(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  gateway.calls.length = 0;
});
afterEach(async () => {
  const answer = readAnswer(await exchange(port, requestOf('GET', '/backups')));
  expect(answer).toMatchObject({ status: 200, body: { code: 0 } });
});

/** Calls of services that would change anything. */
const changes = () => gateway.calls.filter(({ method }) => !/^(get|list|find|read|watch|preview|scan)/.test(method));

const expectRefused = (received: string, status: number | RegExp = 400) => {
  const answer = readAnswer(received);
  expect(String(answer.status)).toMatch(status instanceof RegExp ? status : String(status));
  expect(answer.body).toMatchObject({ data: {}, message: expect.stringMatching(/\S/), code: 10001 });
  expect(answer.head).toContain(`x-request-id: ${answer.body.requestId}`);
  expect(changes()).toEqual([]);
  return answer;
};
const send = (method: string, path: string, body: string | Uint8Array, headers: readonly string[] = []) =>
  exchange(port, requestOf(method, path, body, headers));

/** Every call with a body, with a text in it that is otherwise free. */
const FREE_TEXT: [method: string, path: string, body: (text: string) => string][] = [
  ['POST', '/backups/cancel', (text) => `{"clusterId":"${CLUSTER}","backupId":"${BACKUP}","reason":"${text}"}`],
  ['PUT', `/clusters/${CLUSTER}`, (text) => `{"storageId":"nfs","pd":["127.0.0.1:2379"],"name":"${text}"}`],
  ['PUT', `/clusters/${CLUSTER}`, (text) => `{"storageId":"nfs","pd":["127.0.0.1:2379"],"labels":{"${text}":"x"}}`],
  ['PUT', '/storages/nfs', (text) => `{"type":"local","path":"/mnt/${text}"}`],
  ['PUT', `/clusters/${CLUSTER}/strategy`, (text) => `{"strategy":{"backupDate":"Monday${text}"}}`],
  ['POST', '/backups', (text) => `{"clusterId":"${CLUSTER}","brOptions":{"filters":["db.${text}"]}}`],
  ['POST', '/backups', (text) => `{"clusterId":"${CLUSTER}","somethingElse":{"a":[{"b":"${text}"}]}}`],
];

describe.each(FREE_TEXT)('%s %s takes no text', (method, path, body) => {
  it.each([
    ['a NUL', '\\u0000'],
    ['half of a surrogate pair', '\\ud800'],
    ['the other half', '\\udc00'],
    ['both halves in the wrong order', '\\ude00\\ud83d'],
    ['bytes that are no UTF-8', '\xff'],
    ['UTF-8 that is longer than it need be', '\xc0\xaf'],
    ['a surrogate in UTF-8', '\xed\xa0\x80'],
    ['a character that is cut off', '\xe2\x82'],
    ['a raw NUL', '\0'],
    ['a raw line feed', '\n'],
  ])('with %s', async (_, text) => {
    expectRefused(await send(method, path, Buffer.from(body(text), 'latin1')));
  });
});

it('a text of whole characters is taken, whichever they are', async () => {
  const [method, path, body] = FREE_TEXT[0] ?? ['', '', String];
  const answer = readAnswer(await send(method, path, body('\\ud83d\\ude00 ✓ 備份')));
  expect(answer.status).toBe(200);
  expect(gateway.received('cancelBackup').request.reason).toBe('😀 ✓ 備份');
});

describe.each([
  ['POST', '/backups', `"clusterId":"${CLUSTER}"`],
  ['PUT', `/clusters/${CLUSTER}/strategy`, '"strategy":{"backupDate":"Monday"}'],
  ['PUT', `/clusters/${CLUSTER}`, '"storageId":"nfs","pd":["127.0.0.1:2379"]'],
])('%s %s, whose body is otherwise good, takes none with', (method, path, good) => {
  it.each([
    ['10,000 nested arrays in a field that nobody knows', `"x":${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['10,000 nested objects', `"x":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['__proto__', '"__proto__":{"role":"admin"}'],
    ['an escaped __proto__', '"\\u005f_proto__":{"role":"admin"}'],
    ['__proto__ deep inside', '"x":[{"__proto__":{"role":"admin"}}]'],
    ['constructor.prototype', '"constructor":{"prototype":{"role":"admin"}}'],
    ['the same field twice', '"clusterId":"a","clusterId":"b"'],
    ['the same field twice, once escaped', '"x":1,"\\u0078":2'],
    ['the same field twice, deep inside', '"x":[{"a":{"b":1,"b":2}}]'],
    ['a comment', '"x":1 /* hm */'],
    ['NaN', '"x":NaN'],
    ['a number with leading zeros', '"x":007'],
    ['a comma too many', '"x":1,'],
  ])('%s', async (_, more) => {
    expectRefused(await send(method, path, `{${good},${more}}`));
    expect(({} as { role?: string }).role).toBeUndefined();
  });
});

describe('brackets', () => {
  const withMore = (more: string) => send('POST', '/backups', `{"clusterId":"${CLUSTER}",${more}}`);
  const nested = (depth: number) => `"x":${'['.repeat(depth)}${']'.repeat(depth)}`;

  it('may be nested 64 deep, with the body itself, and no deeper', async () => {
    expect(readAnswer(await withMore(nested(63))).status).toBe(200);
    gateway.calls.length = 0;
    const { body } = expectRefused(await withMore(nested(64)));
    expect(body.message).toBe('The body must not be nested over 64 deep.');
  });

  it.each([
    ['in a text', `"x":"${'[{'.repeat(100)}"`],
    ['behind an escaped quote', `"x":"\\"${'['.repeat(100)}"`],
    ['in a name', `"${'['.repeat(100)}":1`],
    ['side by side', `"x":[${'[{}],'.repeat(100)}[]]`],
  ])('%s are no nesting', async (_, more) => {
    expect(readAnswer(await withMore(more)).status).toBe(200);
  });

  it('behind a text that ends with a backslash are nesting', async () => {
    const { body } = expectRefused(await withMore(`"y":"\\\\",${nested(64)}`));
    expect(body.message).toContain('nested');
  });

  it('are counted before they are parsed', async () => {
    const parsed = vi.spyOn(JSON, 'parse');
    const { body } = expectRefused(await withMore(nested(100_000)));
    expect(body.message).toContain('nested');
    const longest = Math.max(...parsed.mock.calls.map(([text]) => String(text).length));
    parsed.mockRestore();
    expect(longest).toBeLessThan(10_000);
  });
});

it.each(['"__proto__":{}', '"constructor":{"prototype":{}}'])('says of %s what is wrong with it', async (more) => {
  const { body } = expectRefused(await send('POST', '/backups', `{"clusterId":"${CLUSTER}",${more}}`));
  expect(body.message).toBe('The body must not set __proto__ or constructor.prototype.');
});

it.each(['1e309', '-1e309', '99999999999999999999', '1.5', '-0.1', '1'.repeat(400), '9007199254740993'])(
  'the number %s is refused where a number is asked for',
  async (number) => {
    for (const body of [`{"page":${number}}`, `{"pageSize":${number}}`, `{"startTime":${number}}`])
      expectRefused(await send('GET', '/backups', body));
    expectRefused(await send('GET', `/backups?page=${number}`, ''));
    expectRefused(
      await send('PUT', `/clusters/${CLUSTER}/strategy`, `{"strategy":{"retention":{"keepLast":${number}}}}`),
    );
    expectRefused(
      await send('POST', '/backups', `{"clusterId":"${CLUSTER}","brOptions":{"rateLimit":${number},"concurrency":-1}}`),
    );
  },
);

it('an id of 10 kB is a 400, in a path, a query and a body', async () => {
  const id = 'x'.repeat(10_000);
  for (const path of [`/backups/${id}`, `/clusters/${id}/strategy`, `/backups?clusterId=${id}`])
    expect(expectRefused(await send('GET', path, '')).body.message).not.toContain('xxx');
  expectRefused(await send('DELETE', `/backups/${id}`, ''));
  expectRefused(await send('POST', '/backups', `{"clusterId":"${id}"}`));
});

it('a path of 100 kB is a 431', async () => {
  expectRefused(await send('GET', `/backups/${'x'.repeat(100_000)}`, ''), 431);
});

it.each([
  ['no token but 1 MiB', 'x'.repeat(1024 * 1024), 431],
  ['10 kB', 'x'.repeat(10_000), 401],
  ['another alphabet', 'ädmin', 401],
  ['the raw byte 0xff', '\xff', 401],
  ['a blank inside', 'admin admin', 401],
])('a token of %s lets nobody in', async (_, token, status) => {
  const bytes = requestOf('POST', '/backups', `{"clusterId":"${CLUSTER}"}`).toString('latin1');
  const received = await exchange(port, Buffer.from(bytes.replace('Bearer admin', `Bearer ${token}`), 'latin1'));
  const { status: answered, body } = readAnswer(received);
  expect([answered, body.data]).toEqual([status, {}]);
  expect(JSON.stringify(body)).not.toContain(token.slice(0, 4).repeat(2));
  expect(gateway.calls).toEqual([]);
});

describe('smuggling: one request that two readers take for two', () => {
  const HEAD = 'POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\n';
  const INNER = 'DELETE /api/v1/backups/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\n\r\n';
  const BODY = `{"clusterId":"${CLUSTER}"}`;
  it.each([
    ['a length and chunks', `Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${INNER}`],
    ['chunks and a length', `Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n${INNER}`],
    ['two lengths', `Content-Length: 0\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`],
    ['a list of lengths', `Content-Length: 0, ${INNER.length}\r\n\r\n${INNER}`],
    ['a length with a sign', `Content-Length: +0\r\n\r\n${INNER}`],
    ['a length in hexadecimal', `Content-Length: 0x10\r\n\r\n${INNER}`],
    ['a negative length', `Content-Length: -1\r\n\r\n${INNER}`],
    ['a blank before the colon', `Content-Length : ${BODY.length}\r\n\r\n${BODY}`],
    ['a folded header', `X: y\r\n Content-Length: 7\r\n\r\n${INNER}`],
    ['chunks that are not last', `Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n${INNER}`],
    ['chunks with a vertical tab', `Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${INNER}`],
    ['chunks twice', `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${INNER}`],
    ['a chunk whose size is no number', `Transfer-Encoding: chunked\r\n\r\nzz\r\n${BODY}\r\n0\r\n\r\n`],
    ['a chunk whose size overflows', `Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`],
    ['a chunk that is longer than it says', `Transfer-Encoding: chunked\r\n\r\n3\r\n${BODY}\r\n0\r\n\r\n`],
    ['a chunk that ends with a line feed alone', `Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n${INNER}`],
    ['a carriage return alone', `X: y\rContent-Length: 5\r\n\r\n${INNER}`],
    ['a NUL in a header', `X: a\0b\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`],
    ['a header without a name', `: y\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`],
    ['no version of HTTP that there is', `\r\n`],
  ])('%s', async (name, rest) => {
    const head = name.startsWith('no version') ? HEAD.replace('HTTP/1.1', 'HTTP/9.9') : HEAD;
    const received = await exchange(port, head + rest);
    expectRefused(received);
    expect(received.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
    expect(gateway.calls).toEqual([]);
  });

  it('a length for a body of GET that hides a request is read as that body, and as nothing else', async () => {
    const bytes = `GET /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nConnection: close\r\nContent-Length: ${INNER.length}\r\n\r\n${INNER}`;
    const received = await exchange(port, bytes);
    expectRefused(received);
    expect(gateway.calls).toEqual([]);
  });

  it('garbage behind a good request does not get into its answer', async () => {
    const seen = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const listBackups = gateway.answers.listBackups;
    gateway.answers.listBackups = async () => {
      seen.resolve();
      await go.promise;
      return { backups: [], total: 0n };
    };
    const socket = await open(port);
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk) => (received += chunk));
    socket.write('GET /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\n\r\n');
    await seen.promise;
    const gone = new Promise((resolve) => socket.once('close', resolve));
    socket.write('garbage\r\n\r\n');
    await gone;
    go.resolve();
    gateway.answers.listBackups = listBackups;
    expect(received).toBe('');
  });
});

describe('a Host', () => {
  const get = (hosts: string) =>
    exchange(port, `GET /api/v1/backups HTTP/1.1\r\n${hosts}Authorization: Bearer admin\r\nConnection: close\r\n\r\n`);
  it.each([
    ['that is missing', ''],
    ['that is empty', 'Host:\r\n'],
    ['that is blank', 'Host:   \r\n'],
    ['that comes twice', 'Host: a\r\nHost: b\r\n'],
  ])('%s is a 400 in the envelope', async (_, hosts) => {
    const { body } = expectRefused(await get(hosts));
    expect(body.details.fields).toMatchObject([{ field: 'Host' }]);
  });

  it('is not needed in HTTP/1.0, which had none', async () => {
    const received = await exchange(port, 'GET /api/v1/backups HTTP/1.0\r\nAuthorization: Bearer admin\r\n\r\n');
    expect(readAnswer(received).status).toBe(200);
  });
});

describe('what else a client may say', () => {
  it('that it expects something is not waited for', async () => {
    for (const expected of ['100-continue', 'a miracle']) {
      const received = await send('POST', '/backups', `{"clusterId":"${CLUSTER}"}`, [`Expect: ${expected}`]);
      expect(received).toMatch(/HTTP\/1\.1 200 OK[\s\S]*"code":0/);
    }
  });

  it('CONNECT is a 405 in the envelope', async () => {
    expectRefused(await exchange(port, 'CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n'), 405);
  });

  it('an upgrade is not made: the request is answered as it is', async () => {
    const received = await exchange(
      port,
      'GET /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
    );
    expect(readAnswer(received).status).toBe(200);
  });

  it('HTTP/2 without saying so before, or TLS, is a 400', async () => {
    expect(readAnswer(await exchange(port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).status).toBe(400);
    expect(readAnswer(await exchange(port, Buffer.from('16030100a5010000a10303', 'hex'))).status).toBe(400);
  });

  it('a compressed body is a 400 that says so, whatever it would grow to', async () => {
    const { body } = expectRefused(await send('POST', '/backups', 'x', ['Content-Encoding: gzip']));
    expect(body.details.fields).toEqual([{ field: 'body', description: 'must not be compressed' }]);
  });

  it('a body that is shorter than it says reaches no service', async () => {
    const socket = await open(port);
    socket.end(
      `POST /api/v1/backups HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Length: 100\r\n\r\n{"clusterId":"${CLUSTER}"}`,
    );
    await new Promise((resolve) => socket.resume().once('close', resolve));
    expect(gateway.calls).toEqual([]);
  });
});

it('200 requests with the worst of it leave the memory as it was', async () => {
  const worst = [
    () => send('POST', '/backups', `{"clusterId":"${CLUSTER}","x":${'['.repeat(400_000)}${']'.repeat(400_000)}}`),
    () => send('POST', '/backups', `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":1`).join(',')},"k1":2}`),
    () => send('POST', '/backups', `{"clusterId":"${'\\u0000'.repeat(100_000)}"}`),
    () =>
      send(
        'GET',
        '/backups',
        '',
        Array.from({ length: 20_000 }, (_, i) => `X-${i}: y`),
      ),
  ];
  const round = async (times: number) => {
    for (let i = 0; i < times; i += 1) await Promise.all(worst.map((one) => one()));
  };
  await round(5);
  const before = process.memoryUsage().rss;
  await round(45);
  expect(process.memoryUsage().rss - before).toBeLessThan(256 * 1024 * 1024);
  expect(changes()).toEqual([]);
});
