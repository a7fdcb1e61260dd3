/** Logging in to the console at an OpenID issuer, in a real browser. */
import type { AddressInfo } from 'node:net';
import { buildConsole } from '@tidemark/local-stack/build-console';
import { findChromium } from '@tidemark/local-stack/chromium';
import type { FastifyInstance } from 'fastify';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildGateway } from '../gateway.ts';
import { createIssuer } from '../identity/issuer.ts';
import { startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { AUDIENCE, startTestIssuer, type TestIssuer } from '../testing/test-issuer.ts';
import { CONSOLE_FOLDER, readConsoleFiles } from './files.ts';

const CLAIMS = { tidemark_role: 'operator', tidemark_clusters: ['*'], preferred_username: 'ann' };
const signal = AbortSignal.timeout(400_000);
const found = await findChromium({ say: (line) => console.log(line), signal }).catch((error: Error) => error.message);
if (typeof found === 'string') console.warn(`The login is not tried: ${found}`);

describe.skipIf(typeof found === 'string')('a login at the issuer', () => {
  let browser: Browser;
  let issuer: TestIssuer;
  let gateway: TestGateway;
  let app: FastifyInstance;
  let address: string;
  beforeAll(async () => {
    if (typeof found === 'string') return;
    await buildConsole(signal);
    const files = await readConsoleFiles(CONSOLE_FOLDER);
    if (!files) throw new Error('the console was not built');
    issuer = await startTestIssuer();
    gateway = await startTestGateway({ signedTokens: createIssuer(issuer.config), anyAnswer: true });
    const login = { issuer: issuer.config.issuer, clientId: 'console', scope: 'openid', resource: AUDIENCE };
    app = buildGateway({ ...gateway.edge, console: { files, login } });
    await app.listen({ host: '127.0.0.1', port: 0 });
    address = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    issuer.letPeopleIn({ clientId: 'console', redirectUri: `${address}/login`, claims: CLAIMS });
    browser = await chromium.launch({
      executablePath: found.program,
      env: { ...process.env, ...found.env } as Record<string, string>,
      args: ['--no-sandbox', '--disable-quic', '--disable-gpu'],
    });
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await app?.close();
    await gateway?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const button = () => `Log in at ${new URL(issuer.config.issuer).host}`;
  /** What a person does on the issuer's pages. */
  async function signIn(page: Page): Promise<void> {
    await page.getByPlaceholder('Enter any login').fill('ann');
    await page.getByPlaceholder('and password').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
  }

  it('leads there and back to the page that was asked for, with the name and the role of the token', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${address}/backups?state=Failed`);
    await page.getByRole('button', { name: button() }).click();
    await signIn(page);
    await page.getByRole('heading', { level: 1, name: 'Backups' }).waitFor();
    expect(page.url()).toBe(`${address}/backups?state=Failed`);
    expect(await page.locator('.who').textContent()).toMatch(/^ann operator/);
    expect(await page.evaluate('Object.keys(sessionStorage)')).toEqual(['tidemark.token']);
    await context.close();
  }, 60_000);

  it('in the middle of work happens in a window of its own, and the page stays as it is', async () => {
    await gateway.writeTokens({ soon: { role: 'admin', clusters: ['*'] } });
    const context = await browser.newContext();
    const page = await context.newPage();
    await expect
      .poll(
        async () => (await fetch(`${address}/console/caller`, { headers: { authorization: 'Bearer soon' } })).status,
      )
      .toBe(200);
    await page.goto(`${address}/restores/new#token=soon`);
    await page.getByLabel('Into the cluster').fill('typed-before');
    await gateway.writeTokens({});
    await page.getByLabel('Backup', { exact: true }).fill('some-backup');
    const dialog = page.getByRole('dialog', { name: 'Please log in again' });
    await expect
      .poll(
        async () => {
          if (!(await dialog.isVisible())) await page.getByRole('button', { name: 'Show the plan' }).click();
          return dialog.isVisible();
        },
        { timeout: 20_000, interval: 1_000 },
      )
      .toBe(true);
    const [popup] = await Promise.all([
      context.waitForEvent('page'),
      dialog.getByRole('button', { name: button() }).click(),
    ]);
    await signIn(popup);
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByLabel('Into the cluster').inputValue()).toBe('typed-before');
    expect(await page.locator('.who').textContent()).toMatch(/^ann operator/);
    await context.close();
  }, 90_000);

  it('that the issuer refuses says why, and lets try again', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(address);
    await page.getByRole('button', { name: button() }).click();
    await page.getByPlaceholder('Enter any login').waitFor();
    await page.getByText('Cancel', { exact: false }).first().click();
    await page.getByRole('alert').getByText('The issuer did not let you in').waitFor();
    expect(await page.getByRole('button', { name: button() }).count()).toBe(1);
    expect(new URL(page.url()).search).toBe('');
    await context.close();
  }, 60_000);

  it('with an answer that was not asked for is refused', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${address}/login?code=stolen&state=made-up`);
    await page.getByRole('alert').getByText('This login was not begun here').waitFor();
    expect(new URL(page.url()).search).toBe('');
    await context.close();
  }, 60_000);
});
