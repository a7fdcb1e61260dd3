/** Tokens of an issuer, against a real one on this machine. */
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { toConfig } from '../config.ts';
import { log } from '../logger.ts';
import { CLUSTER, OTHER_CLUSTER } from '../testing/programmable-backends.ts';
import { startStopwatch } from '../testing/stopwatch.ts';
import { expectFailure, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { AUDIENCE, startTestIssuer, type TestIssuer } from '../testing/test-issuer.ts';
import { createIssuer } from './issuer.ts';

let issuer: TestIssuer;
let gateway: TestGateway;
beforeAll(async () => {
  issuer = await startTestIssuer();
  gateway = await startTestGateway({ signedTokens: createIssuer(issuer.config) });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});
afterEach(() => vi.restoreAllMocks());

const ADMIN = { tidemark_role: 'admin', tidemark_clusters: ['*'] };
const now = () => Math.floor(Date.now() / 1000);

describe('a token of the issuer', () => {
  it('lets its bearer in with the role and the clusters of its claims, under the name of its claims', async () => {
    const token = await issuer.issue({
      tidemark_role: 'operator',
      tidemark_clusters: [CLUSTER],
      preferred_username: 'jürgen',
    });
    expect((await gateway.ask('GET', '/clusters', { token })).body.data.clusters).toMatchObject([{ id: CLUSTER }]);
    expectFailure(await gateway.ask('GET', `/clusters/${OTHER_CLUSTER}`, { token }), 404, 10003);
    expectFailure(await gateway.ask('GET', '/storages', { token }), 403, 70650);
    expect((await gateway.ask('POST', '/backups', { token, body: { clusterId: CLUSTER } })).status).toBe(200);
    expect(gateway.received('startBackup').headers.get('x-tidemark-caller')).toBe('j%C3%BCrgen');
  });

  it('may be limited by labels', async () => {
    const token = await issuer.issue({ tidemark_role: 'viewer', tidemark_labels: { env: 'prod' } });
    expect((await gateway.ask('GET', '/clusters', { token })).body.data.clusters).toMatchObject([{ id: CLUSTER }]);
  });

  it.each([
    [{ preferred_username: 'ann', email: 'a@b.example' }, 'ann'],
    [{ email: 'a@b.example' }, 'a@b.example'],
    [{ preferred_username: '' }, 'ci'],
    [{ preferred_username: 'scheduler' }, 'ci'],
    [{ preferred_username: 'two\nlines', email: 7 }, 'ci'],
  ])('with %j is called %s', async (claims, name) => {
    const token = await issuer.issue({ ...ADMIN, ...claims });
    expect(await createIssuer(issuer.config).verify(token)).toMatchObject({ name, tokenId: 'jwt:ci' });
  });

  it('may have a list of roles, of which the highest that is known counts, and clusters in a text', async () => {
    const token = await issuer.issue({ tidemark_role: ['uma', 'viewer', 'operator'], tidemark_clusters: 'a, b' });
    const proof = await createIssuer(issuer.config).verify(token);
    expect(proof).toMatchObject({ role: 'operator', clusters: ['a', 'b'], labels: {} });
  });

  it('may have its claims under other names, also deep inside', async () => {
    const token = await issuer.issue({
      realm_access: { roles: ['admin'] },
      'https://tidemark.example/clusters': ['a'],
    });
    const names = { roleClaim: 'realm_access.roles', clustersClaim: 'https://tidemark.example/clusters' };
    const proof = await createIssuer({ ...issuer.config, ...names }).verify(token);
    expect(proof).toMatchObject({ role: 'admin', clusters: ['a'] });
  });
});

describe('what is no good token of the issuer is a 401 with a sentence:', () => {
  const refused = async (token: string, sentence: RegExp, number = 70600) => {
    gateway.calls.length = 0;
    const answer = await gateway.ask('GET', '/backups', { token });
    expectFailure(answer, 401, number);
    expect(answer.body.message).toMatch(sentence);
    expect(JSON.stringify(answer.body)).not.toContain(token.slice(-20));
    expect(gateway.calls).toEqual([]);
  };

  it.each([
    [{ exp: now() - 40 }, /expired at 20/, 70602],
    [{ exp: -1e300 }, /expired long ago/, 70602],
    [{ exp: 'tomorrow' }, /claim exp cannot be used/],
    [{ exp: undefined }, /lacks the claim exp/],
    [{ sub: undefined }, /lacks the claim sub/],
    [{ nbf: now() + 60 }, /not valid yet/],
    [{ iss: 'https://elsewhere.example' }, /another issuer/],
    [{ aud: 'another-client' }, /another audience/],
    [{ aud: undefined }, /lacks the claim aud/],
    [{ aud: 'another-client', exp: now() - 40 }, /another audience/],
    [{ tidemark_role: 'root' }, /tidemark_role names no role/],
    [{ tidemark_role: undefined }, /tidemark_role names no role/],
    [{ tidemark_clusters: undefined }, /tidemark_clusters must name a cluster/],
    [{ tidemark_clusters: [] }, /tidemark_clusters must name a cluster/],
    [{ tidemark_clusters: { '*': true } }, /tidemark_clusters must be a list/],
    [{ tidemark_clusters: ['../x'] }, /tidemark_clusters must be a list/],
    [{ tidemark_labels: ['env=prod'] }, /tidemark_labels must be an object/],
    [{ tidemark_labels: { env: 'prod' } }, /must not name \* beside labels/],
  ] as readonly [claims: Record<string, unknown>, sentence: RegExp, number?: number][])(
    '%j',
    async (claims, sentence, number = 70600) => {
      await refused(await issuer.sign({ ...ADMIN, ...claims }), sentence, number);
    },
  );

  it('a clock that differs by less than half a minute is forgiven', async () => {
    for (const claims of [{ exp: now() - 20 }, { nbf: now() + 20 }]) {
      const token = await issuer.sign({ ...ADMIN, ...claims });
      expect((await gateway.ask('GET', '/backups', { token })).status).toBe(200);
    }
  });

  it('no signature, a shared secret, and a public key in place of one', async () => {
    const claims = { iss: issuer.config.issuer, aud: AUDIENCE, sub: 'x', exp: now() + 600, ...ADMIN };
    await refused(new UnsecuredJWT(claims).encode(), /not signed in a way that is taken/);
    const jwks = (await (await fetch(`${issuer.config.issuer}/jwks`)).json()) as { keys: { kid: string }[] };
    const kid = jwks.keys[0]?.kid ?? '';
    for (const secret of ['secret', JSON.stringify(jwks.keys[0])])
      await refused(
        await new SignJWT(claims)
          .setProtectedHeader({ alg: 'HS256', kid })
          .sign(new TextEncoder().encode(secret.padEnd(32))),
        /not signed in a way that is taken/,
      );
  });

  it('the signature of somebody else, under the name of the right key, of none, and with a key of its own', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const claims = { iss: issuer.config.issuer, aud: AUDIENCE, sub: 'x', exp: now() + 600, ...ADMIN };
    const good = await issuer.sign(ADMIN);
    const { kid } = JSON.parse(Buffer.from(good.split('.')[0] ?? '', 'base64url').toString());
    const sign = (header: object) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header }).sign(privateKey);
    await refused(await sign({ kid }), /signature is wrong/);
    await refused(await sign({}), /signature is wrong/);
    await refused(await sign({ kid: 'unknown' }), /a key that its issuer does not have/);
    await refused(await sign({ kid, jku: 'http://127.0.0.1:1/keys' }), /signature is wrong/);
  });

  it('changed claims, and what only looks like a token', async () => {
    const [head, , signature] = (await issuer.sign(ADMIN)).split('.');
    const forged = Buffer.from(JSON.stringify({ ...ADMIN, iss: issuer.config.issuer })).toString('base64url');
    await refused(`${head}.${forged}.${signature}`, /signature is wrong/);
    for (const text of ['eyJh.eyJ.x', 'eyJhbGciOiJFUzI1NiJ9.e.e', `eyJ${'A'.repeat(8_000)}.a.b`])
      await refused(text, /malformed/);
  });
});

it('takes up a new key of the issuer, and refuses what the old one signed', async () => {
  const old = await issuer.issue(ADMIN);
  expect((await gateway.ask('GET', '/backups', { token: old })).status).toBe(200);
  await issuer.rotate();
  const renewed = await issuer.issue(ADMIN);
  await vi.waitFor(async () => expect((await gateway.ask('GET', '/backups', { token: renewed })).status).toBe(200), {
    timeout: 20_000,
    interval: 200,
  });
  expectFailure(await gateway.ask('GET', '/backups', { token: old }), 401, 70600);
});

it('does not ask the issuer for every key that somebody makes up', async () => {
  const { privateKey } = await generateKeyPair('ES256');
  const before = issuer.asked.length;
  for (let index = 0; index < 20; index += 1) {
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: `k${index}` }).sign(privateKey);
    expectFailure(await gateway.ask('GET', '/backups', { token }), 401, 70600);
  }
  expect(issuer.asked.length - before).toBeLessThanOrEqual(1);
});

describe('an issuer that is away', () => {
  it.each([
    ['answers with errors', true],
    ['cannot be reached', false],
  ])('because it %s makes its tokens a 503, and only those; and they work once it is back', async (_, isThere) => {
    vi.spyOn(log, 'warn').mockImplementation(() => undefined);
    await using own = await startTestIssuer();
    const token = await own.issue(ADMIN);
    const elsewhere = { ...own.config, issuer: 'http://127.0.0.1:1' };
    await using judging = await startTestGateway({ signedTokens: createIssuer(isThere ? own.config : elsewhere) });
    own.breakDown('errors');
    const stopwatch = startStopwatch();
    for (let times = 0; times < 3; times += 1) {
      const answer = await judging.ask('GET', '/backups', { token });
      expectFailure(answer, 503, 20604);
      expect(answer.headers['retry-after']).toBe('1');
    }
    expect(stopwatch.elapsedMs()).toBeLessThan(2_000);
    expect((await judging.ask('GET', '/backups', { token: 'viewer' })).status).toBe(200);
    expectFailure(await judging.ask('GET', '/backups', { token: 'nobody' }), 401, 70600);
    own.breakDown('not at all');
    if (isThere)
      await vi.waitFor(async () => expect((await judging.ask('GET', '/backups', { token })).status).toBe(200), 10_000);
  });

  it('and is mute is a 503 within two seconds too', async () => {
    await using own = await startTestIssuer();
    const token = await own.issue(ADMIN);
    await using judging = await startTestGateway({ signedTokens: createIssuer(own.config) });
    own.breakDown('silence');
    const stopwatch = startStopwatch();
    expectFailure(await judging.ask('GET', '/backups', { token }), 503, 20604);
    expect(stopwatch.elapsedMs()).toBeLessThan(2_000);
  });

  it.each(['discovery', 'keys'])(
    'and sends %s without an end is read to a bound and no further: a 503',
    async (what) => {
      const told = vi.spyOn(log, 'warn').mockImplementation(() => undefined);
      await using own = await startTestIssuer();
      const token = await own.issue(ADMIN);
      await using judging = await startTestGateway({ signedTokens: createIssuer(own.config) });
      if (what === 'keys') {
        expect((await judging.ask('GET', '/backups', { token })).status).toBe(200);
        await own.rotate();
      }
      own.breakDown('no end');
      const ask = async () => judging.ask('GET', '/backups', { token: what === 'keys' ? await own.sign({}) : token });
      const stopwatch = startStopwatch();
      await vi.waitFor(async () => expectFailure(await ask(), 503, 20604), 10_000);
      expect(stopwatch.elapsedMs()).toBeLessThan(10_000);
      if (what === 'discovery')
        await vi.waitFor(
          () =>
            expect(
              JSON.stringify(told.mock.calls.map(([fields]) => String((fields as { error: Error }).error.cause))),
            ).toContain('is too large'),
          5_000,
        );
    },
  );

  it('is not waited for by a token that is no JWT, nor asked about it', async () => {
    await using own = await startTestIssuer();
    await using judging = await startTestGateway({ signedTokens: createIssuer(own.config) });
    expect((await judging.ask('GET', '/backups')).status).toBe(200);
    expect(own.asked).toEqual([]);
  });
});

it('is not believed when it calls itself otherwise', async () => {
  vi.spyOn(log, 'warn').mockImplementation(() => undefined);
  const other = { ...issuer.config, issuer: issuer.config.issuer.replace('127.0.0.1', 'localhost') };
  await expect(createIssuer(other).verify(await issuer.sign(ADMIN))).rejects.toMatchObject({
    code: 'unavailable',
    cause: expect.objectContaining({ message: expect.stringContaining('calls itself') }),
  });
});

describe('the settings of an issuer', () => {
  const env = (changes: Record<string, string>) => ({ TIDEMARK_TOKENS_FILE: '/tokens', ...changes });

  it('have names of claims that can be left out', () => {
    const settings = { TIDEMARK_OIDC_ISSUER: 'https://login.example', TIDEMARK_OIDC_AUDIENCE: 'tidemark' };
    expect(toConfig(env(settings)).issuer).toEqual({
      issuer: 'https://login.example',
      audience: 'tidemark',
      roleClaim: 'tidemark_role',
      clustersClaim: 'tidemark_clusters',
      labelsClaim: 'tidemark_labels',
    });
    expect(toConfig(env({})).issuer).toBeUndefined();
  });

  it('need an audience, and https where the issuer is not on this machine', () => {
    const issuerOnly = (url: string) => () => toConfig(env({ TIDEMARK_OIDC_ISSUER: url }));
    expect(issuerOnly('https://login.example')).toThrow(/TIDEMARK_OIDC_AUDIENCE must be set/);
    for (const url of ['http://login.example', 'http://127.0.0.1.example', 'login', 'file:///etc'])
      expect(issuerOnly(url)).toThrow(/TIDEMARK_OIDC_ISSUER must be an https URL/);
    for (const url of ['http://127.0.0.1:9', 'http://localhost', 'http://[::1]:9'])
      expect(issuerOnly(url)).not.toThrow(/TIDEMARK_OIDC_ISSUER must/);
  });
});
