/** The console as the gateway serves it: files, policy, and who has logged in. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toConfig } from '../config.ts';
import { buildGateway } from '../gateway.ts';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { type ConsoleFiles, readConsoleFiles } from './files.ts';
import { PAGES } from './pages.ts';

const PAGE = '<!doctype html><title>Tidemark</title>';
const SCRIPT = 'export const answer = 42;';
const LOGIN = { issuer: 'https://login.example/realms/ops', clientId: 'tidemark-console', scope: 'openid' };

let folder: string;
let files: ConsoleFiles;
let gateway: TestGateway;
let app: FastifyInstance;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-console-'));
  await writeFile(join(folder, 'index.html'), PAGE);
  await writeFile(join(folder, 'index-a1b2.js'), SCRIPT);
  await writeFile(join(folder, 'index-a1b2.js.br'), brotliCompressSync(SCRIPT));
  await writeFile(join(folder, 'stamp'), 'x');
  const read = await readConsoleFiles(folder);
  if (!read) throw new Error('no files were found');
  files = read;
  gateway = await startTestGateway();
  app = buildGateway({ ...gateway.edge, console: { files } });
});
afterAll(async () => {
  await app?.close();
  await gateway?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

describe('the page', () => {
  it.each(PAGES)('is the answer at %s, without a token, and is asked for anew each time', async (path) => {
    const answer = await get(path.replaceAll(/:\w+/g, 'some-id'));
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe(PAGE);
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(answer.headers['cache-control']).toBe('no-cache');
    expect(answer.headers['referrer-policy']).toBe('no-referrer');
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  it('is there for every address that its own router knows, and for no other', async () => {
    const router = await readFile(join(import.meta.dirname, '..', '..', 'console', 'src', 'app.tsx'), 'utf8');
    const known = [...router.matchAll(/<Route path="([^"]+)"/g)].map(([, path]) => path);
    expect(known.sort()).toEqual([...PAGES].sort());
  });

  it('lets nothing run, load or frame it that is not from here', async () => {
    const policy = String((await get('/')).headers['content-security-policy']).split('; ');
    expect(policy).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ]);
  });

  it('may ask the issuer too, where people log in there', async () => {
    await using other = await startTestGateway();
    const withLogin = buildGateway({ ...other.edge, console: { files, login: LOGIN } });
    const policy = String((await withLogin.inject({ url: '/' })).headers['content-security-policy']);
    expect(policy).toContain("connect-src 'self' https://login.example;");
    expect((await withLogin.inject({ url: '/console/config' })).json()).toEqual({ login: LOGIN });
    await withLogin.close();
  });

  it('leaves all other addresses as they are', async () => {
    for (const path of ['/nothing', '/clusters', '/console', '/clusters/a/b/c'])
      expect((await get(path)).json()).toMatchObject({ code: 10001 });
    expect((await get('/docs')).body).toContain('swagger-ui');
    expect((await get('/api/v1/fleet')).statusCode).toBe(401);
  });
});

describe('its files', () => {
  it('never change under their names, and come compressed to those who take that', async () => {
    const plain = await get('/console/index-a1b2.js');
    expect(plain.body).toBe(SCRIPT);
    expect(plain.headers).not.toHaveProperty('content-encoding');
    expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    const small = await get('/console/index-a1b2.js', { 'accept-encoding': 'gzip, deflate, br, zstd' });
    expect(small.headers['content-encoding']).toBe('br');
    expect(small.headers.vary).toBe('accept-encoding');
    expect(small.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(brotliDecompressSync(small.rawPayload).toString()).toBe(SCRIPT);
    expect((await get('/console/index-a1b2.js', { 'accept-encoding': 'br;q=0, gzip' })).body).toBe(SCRIPT);
  });

  it.each(['stamp', 'index.html', 'index-a1b2.js.br', '..%2fpackage.json', 'constructor', 'index-old.js'])(
    'are no others: %s',
    async (name) => expect((await get(`/console/${name}`)).statusCode).toBe(404),
  );

  it('are none where the console was not built', async () => {
    expect(await readConsoleFiles(join(folder, 'nowhere'))).toBeUndefined();
  });
});

describe('who has logged in', () => {
  it.each([
    ['admin', { name: 'token admin', role: 'admin', seesAll: true }],
    ['viewer', { name: 'token viewer', role: 'viewer', seesAll: true }],
    ['one-cluster', { name: 'token one-cluster', role: 'operator', seesAll: false }],
  ])('is told by the token %s', async (token, expected) => {
    const answer = await get('/console/caller', { authorization: `Bearer ${token}` });
    expect(answer.json()).toEqual({ id: expect.stringMatching(/./), ...expected });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it.each([
    ['nobody', 70600],
    ['expired', 70602],
  ])('is not told by the token %s, with the reason of the API', async (token, code) => {
    const answer = await get('/console/caller', { authorization: `Bearer ${token}` });
    expect(answer.statusCode).toBe(401);
    expect(answer.json()).toMatchObject({ code, message: expect.stringMatching(/\w/) });
  });
});

describe('the settings', () => {
  const env = { TIDEMARK_TOKENS_FILE: '/tokens', TIDEMARK_CONSOLE_CLIENT_ID: 'tidemark-console' };
  const issuer = { TIDEMARK_OIDC_ISSUER: LOGIN.issuer, TIDEMARK_OIDC_AUDIENCE: 'tidemark' };

  it('of a login need an issuer', () => {
    expect(() => toConfig(env)).toThrow('TIDEMARK_CONSOLE_CLIENT_ID needs TIDEMARK_OIDC_ISSUER');
    expect(toConfig({ ...env, ...issuer }).consoleLogin).toEqual({ ...LOGIN, resource: undefined });
  });

  it('leave people the token to paste', () => {
    expect(toConfig({ TIDEMARK_TOKENS_FILE: '/tokens', ...issuer }).consoleLogin).toBeUndefined();
  });
});
