/** The console in a real browser, over a real Tidemark: what a person does first, and what nobody must meet on any page. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCalm, startBrowser, type TestBrowser } from './browser.ts';
import { opensLater, startTidemark, type Tidemark } from './tidemark.ts';

const BUILT = join(import.meta.dirname, '..', '..', 'gateway', 'console', 'dist');
/** What is loaded before the first page is seen, in brotli. */
const FIRST_LOAD_BYTES = 120 * 1_024;

const found = await startBrowser();
if (typeof found === 'string') console.warn(`The console is not tried: ${found}`);

describe.skipIf(typeof found === 'string')('the console', () => {
  const browser = found as TestBrowser;
  let tidemark: Tidemark;
  let safe: string;
  let unsafe: string;
  let good: string;
  beforeAll(async () => {
    tidemark = await startTidemark({ console: true });
    safe = await tidemark.cluster('a-safe-one', { name: 'Orders', labels: { env: 'prod' } });
    unsafe = await tidemark.cluster('z-unsafe', { labels: { env: 'prod' } });
    for (const id of [safe, unsafe]) await tidemark.saveRule(id, 'default', opensLater());
    good = await tidemark.start(safe);
    await tidemark.untilState(good, 'Succeeded');
  }, 240_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await tidemark?.[Symbol.asyncDispose]();
  });

  const open = (path = '/', token: string | undefined = tidemark.stack.token) =>
    browser.open(`${tidemark.stack.url}${path}`, token === undefined ? {} : { token });

  it('is small: all that the first page loads has at most 120 KB in brotli', () => {
    const page = readFileSync(join(BUILT, 'index.html'), 'utf8');
    const files = [...page.matchAll(/(?:src|href)="\/console\/([^"]+)"/g)].map(([, name = '']) => name);
    expect(files.filter((name) => name.endsWith('.js')).length).toBeGreaterThan(0);
    const sizes = ['index.html', ...files].map((name) => statSync(join(BUILT, `${name}.br`)).size);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(FIRST_LOAD_BYTES);
  });

  it('lets in who pastes a good token, says what is wrong with another one, and goes on at the address that was asked for', async () => {
    await using tab = await browser.open(`${tidemark.stack.url}/backups`);
    const { page } = tab;
    await page.getByLabel('Token').fill('not-a-token');
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('The token is not known.');
    await page.getByLabel('Token').fill(tidemark.stack.token);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await page.getByRole('heading', { level: 1, name: 'Backups' }).waitFor();
    expect(page.url()).toBe(`${tidemark.stack.url}/backups`);
    expect(await page.context().cookies()).toEqual([]);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Token').waitFor();
    expect(await page.evaluate('JSON.stringify(sessionStorage)')).toBe('{}');
    // Of the token that was refused, the browser itself tells the failed request.
    expect(tab.wrong.filter((one) => !one.includes('401'))).toEqual([]);
  });

  it('takes a token behind # out of the address before anything else', async () => {
    await using tab = await open('/backups?state=Failed');
    await tab.page.getByRole('heading', { level: 1, name: 'Backups' }).waitFor();
    expect(tab.page.url()).toBe(`${tidemark.stack.url}/backups?state=Failed`);
    expectCalm(tab);
  });

  it('says at first sight which cluster is not safe, and why', async () => {
    await using tab = await open('/?label=env=prod');
    const { page } = tab;
    const title = '1 of these 2 clusters has no good backup in time';
    await expect.poll(() => page.getByRole('heading', { level: 1 }).textContent()).toBe(title);
    await expect.poll(() => page.title()).toBe(`${title} · Tidemark`);
    const first = page.getByRole('table', { name: 'Clusters' }).getByRole('row').nth(1);
    expect(await first.textContent()).toContain(unsafe);
    expect(await first.textContent()).toContain('no good backup yet, planned every day');
    expectCalm(tab);
  });

  it('runs a backup, and follows it to its end', async () => {
    tidemark.demo({ seconds: 2, progressIntervalSeconds: 0.2 }, safe);
    await using tab = await open(`/clusters/${safe}`);
    const { page } = tab;
    await page.getByRole('button', { name: 'Back up now' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Back up now' }).click();
    await page.waitForURL(/\/backups\/[\w-]{22}$/);
    await page.getByRole('progressbar', { name: 'Progress of the backup' }).waitFor();
    await page.getByText('attempt 1').waitFor();
    await page.getByRole('heading', { level: 1 }).getByText('Succeeded').waitFor();
    await page.getByText('nothing more follows').waitFor();
    const id = page.url().split('/').at(-1) ?? '';
    expect(await tidemark.record(id)).toMatchObject({ clusterId: safe, state: 'Succeeded', origin: 'request' });
    expectCalm(tab);
  });

  it('says what of an address filters nothing, and has filters that can be read at 360 pixels', async () => {
    for (const path of ['/audit?outcome=bad', '/backups?state=Faild', '/?verdict=lte']) {
      await using tab = await open(path);
      const passedOver = path.slice(path.indexOf('?') + 1);
      await tab.page.getByRole('status').getByText(passedOver, { exact: true }).waitFor();
    }
    await using tab = await open('/audit?outcome=refused');
    await tab.page.setViewportSize({ width: 360, height: 800 });
    const name = tab.page.getByLabel('Name or id of a token');
    await name.waitFor();
    expect((await name.boundingBox())?.width).toBeGreaterThan(180);
    expect(await tab.page.getByText('which filters nothing here').count()).toBe(0);
  });

  it('says of all that it shows how old it is while the gateway is away, lets no time go on there, and lives again with it', async () => {
    tidemark.demo({ seconds: 120, progressIntervalSeconds: 0.2 }, unsafe);
    const running = await tidemark.start(unsafe);
    await tidemark.until(running, ({ state }) => state === 'Running');
    const gateway = tidemark.stack.process('gateway');
    await using tab = await open('/?label=env=prod');
    const { page } = tab;
    const heading = page.getByRole('heading', { level: 1 });
    const row = page.getByRole('region', { name: 'What runs, and what waits?' }).getByRole('listitem');
    const lasts = async () => (await row.textContent())?.match(/for [^%]*s/)?.[0];
    await expect.poll(lasts).toMatch(/^for \d/);
    await expect.poll(() => heading.textContent()).toMatch(/in time$/);

    const age = page.getByText(/^As of .* ago; not connected\.$/);
    let frozen: string | undefined;
    try {
      await gateway.stop();
      const seconds = async () => Number(/of (\d+) s/.exec((await age.textContent()) ?? '')?.[1]);
      const first = await seconds();
      frozen = await lasts();
      await expect.poll(() => heading.textContent()).toMatch(/in time, as of \d/);
      expect(await page.title()).toMatch(/in time, as of \d/);
      await expect.poll(seconds).toBeGreaterThan(first + 1);
      expect(await lasts()).toBe(frozen);
      expect(await tab.violations()).toEqual([]);
    } finally {
      await gateway.start();
    }
    await age.waitFor({ state: 'detached' });
    await expect.poll(() => heading.textContent()).toMatch(/in time$/);
    await expect.poll(lasts).not.toBe(frozen);
    await tidemark.call('POST', '/backups/cancel', { clusterId: unsafe, backupId: running });
    // Of what nobody answered the browser itself tells.
    expect(tab.wrong.filter((one) => !one.includes('Failed to load resource'))).toEqual([]);
  }, 120_000);

  it('has no page that a reader cannot use, that complains, or whose commands do something else', async () => {
    const pages = [
      '/',
      `/clusters/${safe}`,
      `/clusters/${safe}/rules/default`,
      '/backups',
      `/backups/${good}`,
      '/plans',
      '/plans/~new',
      '/storages',
      '/storages/local',
      '/workers',
      '/tokens',
      '/notifications',
      '/audit',
      `/search?text=${safe.slice(0, 8)}`,
      '/restores',
      `/restores/new?backup=${good}&target=${unsafe}`,
    ];
    await using tab = await open('/');
    const { page } = tab;
    await page.getByRole('heading', { level: 1 }).waitFor();
    for (const path of pages) {
      await page.goto(`${tidemark.stack.url}${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await expect.poll(() => page.getByText(/^Loading /).count(), { timeout: 10_000 }).toBe(0);
      expect(await tab.violations(), path).toEqual([]);
      for (const line of await page.locator('code[data-shell=curl]').allTextContents())
        if (!line.startsWith('curl -X')) expect(askedBy(line), line).toBe('200');
    }
    expectCalm(tab);
  }, 120_000);

  /** The status that a line for a shell gets. */
  function askedBy(line: string): string {
    const command = `${line} -s -o /dev/null -w '%{http_code}' --max-time 20`;
    return execFileSync('sh', ['-c', command], {
      env: { ...process.env, TOKEN: tidemark.stack.token },
      encoding: 'utf8',
    });
  }
});
