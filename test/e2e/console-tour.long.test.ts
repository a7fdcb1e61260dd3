/** The console as it is searched, read and used without a mouse: every page, on a small screen, and every command that it shows. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCalm, startBrowser, type Tab, type TestBrowser } from './browser.ts';
import { confirm, heading, isLoaded, SIZE, startShop } from './console-shop.ts';
import type { Tidemark } from './tidemark.ts';

const found = await startBrowser();
if (typeof found === 'string') console.warn(`The console is not tried: ${found}`);
const browser = found as TestBrowser;

afterAll(() => (typeof found === 'string' ? undefined : browser[Symbol.asyncDispose]()));

describe.skipIf(typeof found === 'string')('a person at the console', () => {
  let tidemark: Tidemark;
  let source: string;
  let target: string;
  let late: string;
  beforeAll(async () => {
    ({ tidemark, source, target, late } = await startShop());
  }, 240_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const open = (path = '/', token = tidemark.stack.token, more = {}): Promise<Tab> =>
    browser.open(`${tidemark.stack.url}${path}`, { token, ...more });

  it('finds everything by an id, a name or the beginning of one, with the keyboard alone', async () => {
    const backupId = await tidemark.start(source);
    await using tab = await open('/');
    const { page } = tab;
    await isLoaded(page);
    const search = page.getByRole('searchbox');
    const look = async (text: string, to: string | RegExp) => {
      await search.focus();
      await page.keyboard.type(text);
      await page.keyboard.press('Enter');
      await page.waitForURL(to);
      // Each new page takes the focus.
      await page.locator('main:focus').waitFor();
    };
    await look(source, `${tidemark.stack.url}/clusters/${source}`);
    await look(backupId.slice(0, 9), `${tidemark.stack.url}/backups/${backupId}`);
    await look('order', /\/search\?text=order$/);
    const found = page.getByRole('table', { name: 'What was found' });
    await found.getByRole('link', { name: target, exact: true }).first().waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/clusters\/orders-/);
    await page.locator('main:focus').waitFor();
    await look('rder', /\/search\?text=rder$/);
    await page.getByText('Nothing that you may see begins with rder.').waitFor();
    await page.getByRole('link', { name: 'Look for it within the names of clusters' }).click();
    await expect.poll(() => heading(page).textContent()).toMatch(/of these 2 clusters/);
    await tidemark.untilState(backupId, 'Succeeded', 60);
    expectCalm(tab);
  }, 120_000);

  it('makes a token, whose secret is shown once and kept nowhere, and takes it back with its name typed', async () => {
    await using tab = await open('/tokens');
    const { page } = tab;
    await isLoaded(page);
    await page.getByRole('button', { name: 'Make a token …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/^Name/).fill('on call');
    await dialog.getByLabel('Role').selectOption('operator');
    await confirm(page, 'Make it');
    await dialog.getByRole('alert').waitFor();
    await dialog.getByLabel(/^Clusters/).fill(late);
    await confirm(page, 'Make it');
    const secret = (await dialog.locator('.secret code').textContent()) ?? '';
    expect(await tab.violations()).toEqual([]);
    for (let press = 0; press < 3; press += 1) await page.keyboard.press('Escape');
    expect(await dialog.locator('.secret code').isVisible()).toBe(true);
    await confirm(page, 'I have copied it');
    const row = page.getByRole('row', { name: /on call/ });
    expect(await row.textContent()).toMatch(new RegExp(`operator.*${late}.*never`));
    expect(await page.content()).not.toContain(secret);
    expect(await page.evaluate('JSON.stringify([sessionStorage, localStorage, location.href])')).not.toContain(secret);
    {
      await using other = await open('/', secret);
      await expect
        .poll(() => heading(other.page).textContent(), { timeout: 30_000 })
        .toMatch(/of 1 cluster|only cluster/);
      expect(await other.page.getByRole('link', { name: 'Tokens' }).count()).toBe(0);
    }
    await row.getByRole('button', { name: /^Revoke/ }).click();
    expect(await dialog.getByRole('button', { name: 'Revoke', exact: true }).isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('on call');
    await confirm(page, 'Revoke');
    await row.waitFor({ state: 'detached' });
    await expect
      .poll(async () => (await tidemark.call('GET', '/fleet', undefined, { authorization: `Bearer ${secret}` })).status)
      .toBe(401);
    expect(tab.wrong.filter((one) => !one.includes('status of 400'))).toEqual([]);
  }, 120_000);

  it('sees who changed what: narrows it by what was asked for and by when, a page at a time', async () => {
    const canceled = await tidemark.start(late);
    await tidemark.call('POST', '/backups/cancel', { clusterId: late, backupId: canceled });
    await tidemark.call('POST', '/backups/cancel', { clusterId: late, backupId: 'AAAAAAAAAAAAAAAAAAAAAA' });
    await using tab = await open(`/audit?clusterId=${late}`);
    const { page } = tab;
    const rows = page.getByRole('table', { name: 'Audit' }).getByRole('row');
    const refused = rows.filter({ hasText: 'backup_not_found' });
    await expect.poll(() => refused.count(), { timeout: 30_000 }).toBe(1);
    expect(await refused.textContent()).toMatch(/npm start.*cancel backup.*Refused/);
    await page.getByRole('link', { name: 'Done', exact: true }).click();
    await expect.poll(() => refused.count()).toBe(0);
    await page.getByRole('link', { name: 'cancel backup' }).first().click();
    await page.waitForURL(/what=cancel\+backup/);
    await page.getByRole('link', { name: canceled }).waitFor();
    await page.getByLabel('from').fill('2100-01-01T00:00');
    await page.getByRole('button', { name: 'Filter' }).click();
    await page.getByText('Nobody has changed anything that fits these filters.').waitFor();
    expect(page.url()).toContain(`clusterId=${late}`);
    await tidemark.untilState(canceled, 'Canceled', 60);
    expectCalm(tab);
  }, 120_000);

  it('gets the same from a shell: every command that a page shows and that only reads does what it says', async () => {
    const backupId = await tidemark.start(source);
    await tidemark.untilState(backupId, 'Succeeded', 60);
    await using tab = await open('/');
    const { page } = tab;
    await isLoaded(page);
    const lines = new Set<string>();
    for (const path of [
      '/?label=env=prod&verdict=inTime',
      `/clusters/${source}`,
      `/clusters/${source}/rules/default`,
      `/backups?clusterId=${source}&state=Succeeded`,
      `/backups/${backupId}`,
      '/plans',
      '/restores',
      '/storages',
      '/storages/local',
      '/tokens',
      '/search?text=order',
      `/audit?outcome=ok&clusterId=${source}`,
    ]) {
      await page.goto(`${tidemark.stack.url}${path}`);
      await isLoaded(page);
      for (const line of await page.locator('code[data-shell=tidemark]').allTextContents())
        if (/^tidemark (status|search|audit|recovery-points|\w+ (list|get|logs|check))/.test(line)) lines.add(line);
    }
    expect(lines.size).toBeGreaterThan(9);
    const tokenFile = join(tidemark.stack.dataDir, 'secrets', 'token-of-a-person');
    writeFileSync(tokenFile, tidemark.stack.token);
    const tool = `tidemark() { "${process.execPath}" "${join(import.meta.dirname, '..', '..', 'cli', 'src', 'main.ts')}" "$@"; }`;
    for (const line of lines) {
      const env = { ...process.env, TIDEMARK_URL: tidemark.stack.url, TIDEMARK_TOKEN_FILE: tokenFile };
      const { status, stdout, stderr } = spawnSync('sh', ['-c', `${tool}; ${line}`], {
        env,
        encoding: 'utf8',
        timeout: 60_000,
      });
      // With 1 it says that a cluster is late, which one is.
      expect(line.startsWith('tidemark status') ? [0, 1] : [0], `${line}\n${stderr}`).toContain(status);
      expect(stdout, line).toMatch(/\S/);
    }
  }, 300_000);

  it('needs no mouse: logs in, reaches a cluster and starts a backup with the keyboard alone', async () => {
    tidemark.demo({ seconds: 0.5, ...SIZE }, late);
    await using tab = await browser.open(`${tidemark.stack.url}/?text=${late}`);
    const { page } = tab;
    await page.getByLabel('Token').focus();
    await page.keyboard.type(tidemark.stack.token);
    await page.keyboard.press('Enter');
    await isLoaded(page);
    const press = async (name: string, role: 'link' | 'button') => {
      for (let presses = 0; presses < 80; presses += 1) {
        await page.keyboard.press('Tab');
        const focused = await page.evaluate('document.activeElement?.textContent?.trim()');
        const tag = await page.evaluate('document.activeElement?.tagName');
        if (focused === name && tag === (role === 'link' ? 'A' : 'BUTTON')) return page.keyboard.press('Enter');
      }
      throw new Error(`The keyboard does not come to ${name}`);
    };
    await page.getByRole('table', { name: 'Clusters' }).waitFor();
    await press(late, 'link');
    await page.waitForURL(/\/clusters\//);
    await isLoaded(page);
    await press('Back up now', 'button');
    await page.getByRole('dialog').waitFor();
    await press('Back up now', 'button');
    await page.waitForURL(/\/backups\//);
    await heading(page).getByText('Succeeded').waitFor({ timeout: 60_000 });
    expectCalm(tab);
  }, 120_000);

  it.each(['light', 'dark'] as const)(
    'has room on 360 pixels, in %s, on every page, and a reader finds nothing wrong',
    async (colorScheme) => {
      await using tab = await open('/', tidemark.stack.token, { viewport: { width: 360, height: 760 }, colorScheme });
      const { page } = tab;
      await isLoaded(page);
      const pages = [
        '/',
        `/clusters/${source}`,
        '/backups',
        `/clusters/${source}/rules/default`,
        '/plans',
        '/plans/~new',
        '/restores',
        '/restores/new',
        '/workers',
        '/storages',
        '/storages/local',
        '/tokens',
        '/search?text=order',
        '/notifications',
        '/audit',
      ];
      for (const path of pages) {
        await page.goto(`${tidemark.stack.url}${path}`);
        await isLoaded(page);
        await page.getByText('The same from a shell').last().click();
        const width = Number(await page.evaluate('document.documentElement.scrollWidth'));
        expect(width, path).toBeLessThanOrEqual(360);
        expect(await tab.violations(), path).toEqual([]);
      }
      await page.goto(tidemark.stack.url);
      await page.getByRole('button', { name: 'Menu' }).click();
      await page.getByRole('link', { name: 'Backups' }).click();
      await page.waitForURL(/\/backups$/);
      expectCalm(tab);
    },
    240_000,
  );
});
