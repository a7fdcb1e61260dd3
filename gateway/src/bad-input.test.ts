import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BACKUP, CLUSTER } from './testing/programmable-backends.ts';
import { expectFailure, startTestGateway, type TestGateway } from './testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());
beforeEach(() => {
  gateway.calls.length = 0;
});
// Whatever came before: nothing of it hurt the gateway.
afterEach(async () => expect((await gateway.ask('GET', '/backups')).status).toBe(200));

const BAD_IDS: [name: string, id: string][] = [
  ['..%2F', '..%2F'],
  ['..%2f..%2fetc%2fpasswd', '..%2f..%2fetc%2fpasswd'],
  ['%2e%2e%2f', '%2e%2e%2f'],
  ['..%252F', '..%252F'],
  ['%00', '%00'],
  [`${BACKUP}%00`, `${BACKUP}%00`],
  [`${BACKUP}%0A`, `${BACKUP}%0A`],
  ['a%20b', 'a%20b'],
  ['%F0%9F%92%A3', '%F0%9F%92%A3'],
  ["'%20or%201=1", "'%20or%201=1"],
  ['$where', '$where'],
  ['*', '*'],
  ['of 65 letters', 'x'.repeat(65)],
  ['of 2,000 letters', 'x'.repeat(2_000)],
];

describe.each(BAD_IDS)('the id %s', (_, id) => {
  const path = (text: string) => text.replace('ID', id);
  it.each([
    ['GET', '/backups/ID'],
    ['DELETE', '/backups/ID'],
    ['GET', '/backups/ID/events'],
    ['GET', '/clusters/ID/strategy'],
    ['PUT', '/clusters/ID/strategy'],
    ['DELETE', '/clusters/ID'],
    ['GET', '/clusters/ID/strategies'],
    ['POST', '/clusters/ID/strategies'],
    ['PUT', `/clusters/${CLUSTER}/strategies/ID`],
    ['POST', `/clusters/${CLUSTER}/strategies/ID/run`],
    ['PUT', '/strategies/ID'],
    ['GET', '/storages/ID'],
    ['GET', '/clusters/ID/occurrences'],
  ])('is a 400 in the path of %s %s, and reaches no service', async (method, route) => {
    const body = method === 'PUT' ? { strategy: { backupDate: '' } } : undefined;
    expectFailure(await gateway.ask(method, path(route), { body }), 400, 10001);
    expect(gateway.calls).toEqual([]);
  });

  it('is a 400 in a body and in a query', async () => {
    const plain = decodeURIComponent(id);
    expectFailure(await gateway.ask('POST', '/backups', { body: { clusterId: plain } }), 400, 10001);
    const body = { clusterId: CLUSTER, backupId: plain };
    expectFailure(await gateway.ask('POST', '/backups/cancel', { body }), 400, 10001);
    expectFailure(await gateway.ask('GET', `/backups?clusterId=${id}`), 400, 10001);
    expect(gateway.calls).toEqual([]);
  });
});

it.each(['%', '%zz', '%E0%A4%A', '%C0%AE%C0%AE'])('answers the badly encoded path part %s with 400', async (part) => {
  expectFailure(await gateway.ask('GET', `/backups/${part}`), 400, 10001);
});

const BODIES: [name: string, body: string][] = [
  ['an array', '[]'],
  ['a text', '"x"'],
  ['a number', '7'],
  ['true', 'true'],
  ['__proto__', `{"clusterId":"${CLUSTER}","__proto__":{"role":"admin"}}`],
  ['constructor.prototype', `{"clusterId":"${CLUSTER}","constructor":{"prototype":{"role":"admin"}}}`],
  ['a NUL in an id', `{"clusterId":"${CLUSTER}\\u0000"}`],
  ['a raw NUL', `{"clusterId":"${CLUSTER}\u0000"}`],
  ['1e309', '{"clusterId":1e309}'],
  ['an id in nested arrays', `{"clusterId":[["${CLUSTER}"]]}`],
  ['50,000 nested arrays', `{"clusterId":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
  ['an operator of a database', '{"clusterId":{"$ne":null}}'],
  ['an over-long id', `{"clusterId":"${'x'.repeat(100_000)}"}`],
];

it.each(BODIES)('answers a body that is or holds %s with 400, in every call that takes one', async (_, body) => {
  for (const [method, path] of [
    ['POST', '/backups'],
    ['POST', '/backups/cancel'],
    ['PUT', `/clusters/${CLUSTER}/strategy`],
    ['POST', `/clusters/${CLUSTER}/strategy`],
    ['POST', `/clusters/${CLUSTER}/strategies`],
    ['PUT', `/clusters/${CLUSTER}/strategies/nightly`],
    ['PUT', '/strategies/prod'],
    ['PUT', `/clusters/${CLUSTER}`],
    ['PUT', '/storages/nfs'],
  ] as const)
    expectFailure(await gateway.ask(method, path, { body }), 400, 10001);
  expect(gateway.calls).toEqual([]);
  expect(({} as { role?: string }).role).toBeUndefined();
});

it.each(BODIES.slice(0, 5))('answers a GET and a DELETE whose body is or holds %s with 400', async (_, body) => {
  expectFailure(await gateway.ask('GET', '/backups', { body }), 400, 10001);
  expectFailure(await gateway.ask('DELETE', `/backups/${BACKUP}`, { body }), 400, 10001);
});

it('answers 1e309 as a page with 400, in the body and in the query', async () => {
  expectFailure(await gateway.ask('GET', '/backups', { body: '{"page":1e309}' }), 400, 10001);
  expectFailure(await gateway.ask('GET', '/backups?page=1e309'), 400, 10001);
});

it('ignores __proto__ in a query', async () => {
  expect((await gateway.ask('GET', '/backups?__proto__=x&constructor=y&__proto__[page]=0')).status).toBe(200);
});

it('answers an over-long query in the envelope or takes it', async () => {
  expectFailure(await gateway.ask('GET', `/backups?clusterId=${'x'.repeat(10_000)}`), 400, 10001);
});
