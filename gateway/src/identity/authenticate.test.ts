import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { log } from '../logger.ts';
import { CLUSTER } from '../testing/programmable-backends.ts';
import { expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await gateway[Symbol.asyncDispose]();
});

const withHeader = (authorization: string) =>
  gateway.ask('GET', '/backups', { token: null, headers: { authorization } });

it('lets nobody in without a token, on no route', async () => {
  for (const [method, path] of [
    ['GET', '/backups'],
    ['POST', '/backups'],
    ['DELETE', '/backups/x'],
    ['GET', `/clusters/${CLUSTER}/strategy`],
    ['GET', '/storages'],
    ['GET', '/occurrences'],
  ] as const) {
    const answer = await gateway.ask(method, path, { token: null, body: method === 'POST' ? '{' : undefined });
    expectFailure(answer, 401, 70600);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  }
  expect(gateway.calls).toEqual([]);
});

it.each([
  'Bearer wrong',
  'Bearer',
  'Bearer ',
  'admin',
  'Basic admin',
  'Bearer admin viewer',
  `Bearer ${'x'.repeat(600)}`,
])('answers 401 to the header "%s"', async (header) => expectFailure(await withHeader(header), 401, 70600));

it('takes the word Bearer in any case', async () => {
  expect((await withHeader('bearer admin')).status).toBe(200);
});

it('tells an expired token apart', async () => {
  expectFailure(await withHeader('Bearer expired'), 401, 70602);
});

it('never says which token was sent', async () => {
  const { body } = await withHeader('Bearer guessed-secret');
  expect(JSON.stringify(body)).not.toContain('guessed-secret');
});

it('takes up a changed tokens file without a restart: new tokens in, removed ones out', async () => {
  expect((await withHeader('Bearer operator')).status).toBe(200);
  expectFailure(await withHeader('Bearer new-one'), 401, 70600);
  await gateway.writeTokens({ 'new-one': { role: 'viewer', clusters: ['*'] } });
  await vi.waitFor(async () => expect((await withHeader('Bearer new-one')).status).toBe(200), 5_000);
  expectFailure(await withHeader('Bearer operator'), 401, 70600);
});

it('reads no more of the tokens file than its bound, and says so in the log', async () => {
  const told = vi.spyOn(log, 'error').mockImplementation(() => undefined);
  const admin = { role: 'admin' as const, clusters: ['*'] };
  const clusters = Array.from({ length: 300_000 }, (_, at) =>
    `cluster-of-a-long-name-and-number-${at}`.padEnd(60, '-'),
  );
  await gateway.writeTokens({ admin, large: { role: 'viewer', clusters } });
  await vi.waitFor(async () => expectFailure(await withHeader('Bearer admin'), 503, 20604), 5_000);
  expect(told.mock.calls.map(([, message]) => message)).toEqual([
    expect.stringContaining('nobody is let in by it: it is too large (over 16777216 bytes)'),
  ]);
  await gateway.writeTokens({ admin });
  await vi.waitFor(async () => expect((await withHeader('Bearer admin')).status).toBe(200), 5_000);
});

it('lets nobody in by a tokens file with one bad entry: 503, with the reason in the log once, and never what stands there', async () => {
  const told = vi.spyOn(log, 'error').mockImplementation(() => undefined);
  await gateway.writeTokens({ admin: { role: 'root-secret' as 'admin', clusters: ['*'] } });
  await vi.waitFor(async () => expectFailure(await withHeader('Bearer admin'), 503, 20604), 5_000);
  for (const header of ['Bearer admin', 'Bearer nobody']) {
    const answer = await withHeader(header);
    expectFailure(answer, 503, 20604);
    expect(answer.headers['retry-after']).toBe('1');
  }
  expectFailure(await gateway.ask('GET', '/backups', { token: null }), 401, 70600);
  expect(gateway.calls).toEqual([]);
  await vi.waitFor(async () => expect((await withHeader('Bearer admin')).status).toBe(503), 5_000);
  expect(told.mock.calls.map(([, message]) => message)).toEqual([
    expect.stringContaining('tokens.0.role must be one of viewer, operator, admin'),
  ]);
  expect(JSON.stringify(told.mock.calls)).not.toContain('root-secret');
  await gateway.writeTokens({ admin: { role: 'admin', clusters: ['*'] } });
  await vi.waitFor(async () => expect((await withHeader('Bearer admin')).status).toBe(200), 5_000);
});
