/**
 * The console through a person's whole evening, with less rights, with two people and without a network. With
 * TIDEMARK_SCREENSHOTS=docs/console it draws its pictures of docs/console.md anew.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCalm, shoot, startBrowser, type Tab, type TestBrowser } from './browser.ts';
import { confirm, heading, isLoaded, rowsOf, SIZE, startShop } from './console-shop.ts';
import type { Tidemark } from './tidemark.ts';

const found = await startBrowser();
if (typeof found === 'string') console.warn(`The console is not tried: ${found}`);
const browser = found as TestBrowser;

afterAll(() => (typeof found === 'string' ? undefined : browser[Symbol.asyncDispose]()));

/** Adds a token to those of a stack, which the gateway takes up within a second. */
function addToken(tidemark: Tidemark, word: string, role: string, clusters: readonly string[]): void {
  const file = join(tidemark.stack.dataDir, 'secrets', 'tokens.json');
  const { tokens } = JSON.parse(readFileSync(file, 'utf8')) as { tokens: { id: string }[] };
  const sha256 = createHash('sha256').update(word).digest('hex');
  const rest = tokens.filter(({ id }) => id !== word);
  writeFileSync(
    file,
    JSON.stringify({ tokens: [...rest, { id: word, name: word, sha256, role, clusters, labels: {} }] }),
  );
}

function removeToken(tidemark: Tidemark, word: string): void {
  const file = join(tidemark.stack.dataDir, 'secrets', 'tokens.json');
  const { tokens } = JSON.parse(readFileSync(file, 'utf8')) as { tokens: { id: string }[] };
  writeFileSync(file, JSON.stringify({ tokens: tokens.filter(({ id }) => id !== word) }));
}

describe.skipIf(typeof found === 'string')('a person at the console', () => {
  let tidemark: Tidemark;
  let source: string;
  let target: string;
  let late: string;
  let scratch: string;
  beforeAll(async () => {
    ({ tidemark, source, target, late, scratch } = await startShop());
  }, 240_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const open = (path = '/', token = tidemark.stack.token, more = {}): Promise<Tab> =>
    browser.open(`${tidemark.stack.url}${path}`, { token, ...more });

  it('has a whole evening: sees who is late, backs up, cancels, edits a window, looks at retention, verifies, restores, resumes and releases', async () => {
    await using tab = await open('/?label=env=prod');
    const { page } = tab;
    await expect.poll(() => heading(page).textContent()).toBe('2 of these 2 clusters have no good backup in time');

    // A backup, followed to its end.
    await page.getByRole('table', { name: 'Clusters' }).getByRole('link', { name: source, exact: true }).click();
    await page.getByRole('button', { name: 'Back up now' }).click();
    await confirm(page, 'Back up now');
    await page.waitForURL(/\/backups\/[\w-]{22}$/);
    await heading(page).getByText('Succeeded').waitFor({ timeout: 60_000 });
    const good = page.url().split('/').at(-1) ?? '';

    // Another one is canceled.
    tidemark.demo({ seconds: 60, progressIntervalSeconds: 0.2, ...SIZE }, late);
    await page.goto(`${tidemark.stack.url}/clusters/${late}`);
    await page.getByRole('button', { name: 'Back up now' }).click();
    await confirm(page, 'Back up now');
    await page.waitForURL(/\/backups\//);
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await confirm(page, 'Cancel');
    await heading(page).getByText('Canceled').waitFor({ timeout: 60_000 });

    // A window is edited, and the week shows it before it is saved.
    await page.goto(`${tidemark.stack.url}/clusters/${source}/rules/default`);
    await isLoaded(page);
    await page.getByLabel('Opens').fill('23:00');
    await page.getByLabel('Closes').fill('02:00');
    await page.getByLabel('Sunday').uncheck();
    expect(await page.locator('.week .band').count()).toBe(12);
    await page.getByLabel('the newest', { exact: true }).fill('3');
    await page.getByText('Options of br').click();
    await page.getByLabel('At most, in MiB/s and TiKV').fill('80');
    await page.getByLabel(/^Further flags/).fill('gcttl=3600');
    await page.getByRole('heading', { name: 'What retention would remove' }).waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved', { exact: true }).waitFor();
    expect(await tidemark.rule(source)).toMatchObject({
      period: '23:00-2:00',
      retention: { keepLast: 3 },
      brOptions: { rateLimit: 80, extra: { gcttl: '3600' } },
    });

    // The backup is verified.
    await page.goto(`${tidemark.stack.url}/backups/${good}`);
    await page.getByRole('button', { name: 'Verify …' }).click();
    await confirm(page, 'Verify');
    await page.getByText('byte for byte').waitFor({ timeout: 60_000 });

    // It is restored into the second cluster: plan, typed name, phases; canceled in the middle, and resumed.
    tidemark.demo({ restore: { seconds: 20, ...SIZE }, ...SIZE }, source);
    await breakOff(page, target);
    await page.getByText('What to do.').waitFor();
    expect(
      await page.getByRole('table', { name: 'What is left in the target' }).getByRole('row').count(),
    ).toBeGreaterThan(1);
    await shoot(page, 'restore');
    tidemark.demo({ restore: { seconds: 0.5, ...SIZE }, ...SIZE }, source);
    await page.getByRole('button', { name: 'Resume …' }).click();
    await confirm(page, 'Resume');
    await heading(page).getByText('Succeeded').waitFor({ timeout: 90_000 });

    // Another one is not gone on with: its target is cleaned, and released with its name typed.
    tidemark.demo({ restore: { seconds: 20, ...SIZE }, ...SIZE }, source);
    await page.goto(`${tidemark.stack.url}/backups/${good}`);
    await breakOff(page, scratch);
    await performTask(rowsOf(tidemark, '10.1.0.4:2379'), { verb: 'empty' }, AbortSignal.timeout(60_000));
    await page.getByRole('button', { name: 'Release …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(/The target was cleaned/).check();
    expect(await dialog.getByRole('button', { name: 'Release', exact: true }).isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill(scratch);
    await confirm(page, 'Release');
    await heading(page).getByText('Released').waitFor({ timeout: 60_000 });
    await page.getByText('by npm start, cleaned').waitFor();
    tidemark.demo({ seconds: 3, progressIntervalSeconds: 0.2, ...SIZE }, source);
    expectCalm(tab);
  }, 400_000);

  /** From the page of a backup: restores it, and cancels that in the middle. */
  async function breakOff(page: Page, into: string): Promise<void> {
    await page.getByRole('button', { name: 'Restore …' }).click();
    await page.getByLabel('Into the cluster').fill(into);
    await page.getByRole('button', { name: 'Show the plan' }).click();
    await page.getByRole('heading', { name: 'The plan' }).waitFor();
    await shoot(page, 'restore-plan');
    await page.getByRole('button', { name: 'Restore …' }).click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.getByRole('button', { name: 'Restore', exact: true }).isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill(into);
    await confirm(page, 'Restore');
    await page.waitForURL(/\/restores\/[\w-]{22}$/);
    await page.getByRole('progressbar', { name: 'Progress of the restore' }).waitFor();
    await expect.poll(() => page.locator('.meter').textContent(), { timeout: 60_000 }).toMatch(/[1-9]\d* %/);
    await page.getByRole('button', { name: 'Cancel …' }).click();
    await dialog.getByRole('textbox').fill(into);
    await confirm(page, 'Cancel');
    await heading(page).getByText('Partial').waitFor({ timeout: 60_000 });
  }

  it('who looks at the fleet sees a backup begin and end, without the page being asked for anew', async () => {
    await tidemark.untilState(await tidemark.start(source), 'Succeeded', 60);
    tidemark.demo({ seconds: 12, progressIntervalSeconds: 0.5, ...SIZE }, source);
    await using tab = await open(`/?text=${source}`);
    const { page } = tab;
    const row = page.getByRole('table', { name: 'Clusters' }).getByRole('row').nth(1);
    await row.getByText('In time').waitFor({ timeout: 60_000 });
    let asked = 0;
    page.on('request', (request) => {
      if (request.url().endsWith('/ListFleet')) asked += 1;
    });
    await tidemark.start(source);
    await row.getByText('Running').waitFor({ timeout: 30_000 });
    await row.getByText('Running').waitFor({ state: 'detached', timeout: 60_000 });
    expect(asked).toBe(0);
    tidemark.demo({ seconds: 3, progressIntervalSeconds: 0.2, ...SIZE }, source);
    expectCalm(tab);
  }, 180_000);

  it('with the role viewer sees everything and can change nothing', async () => {
    addToken(tidemark, 'looks-on', 'viewer', ['*']);
    await sleep(1_500);
    await using tab = await open('/', 'looks-on');
    const { page } = tab;
    // Who leaves the page before it knows its token has to log in.
    await isLoaded(page);
    for (const path of [
      '/',
      `/clusters/${source}`,
      '/backups',
      '/restores',
      '/plans',
      `/clusters/${source}/rules/default`,
      '/workers',
    ]) {
      await page.goto(`${tidemark.stack.url}${path}`);
      await isLoaded(page);
      for (const name of [/Back up now/, /^Pause/, /^Run now/, /Delete/, /Restore a backup/, /^Save/, /Add a/])
        expect(
          await page.getByRole('button', { name }).or(page.getByRole('link', { name })).count(),
          `${path} ${name}`,
        ).toBe(0);
    }
    expect(await page.getByRole('link', { name: 'Storages' }).count()).toBe(0);
    for (const path of ['/audit', '/tokens']) {
      await page.goto(`${tidemark.stack.url}${path}`);
      await page.getByText('This page is for tokens with the role admin.').waitFor();
      expect(await page.getByRole('button', { name: /Filter|Make a token/ }).count()).toBe(0);
    }
    expectCalm(tab);
  }, 120_000);

  it('whose token is for one cluster sees that one alone', async () => {
    addToken(tidemark, 'one-alone', 'operator', [late]);
    await sleep(1_500);
    await using tab = await open('/', 'one-alone');
    const { page } = tab;
    await expect.poll(() => heading(page).textContent()).toBe('1 of 1 cluster has no good backup in time');
    expect(await page.getByText(source).count()).toBe(0);
    await page.goto(`${tidemark.stack.url}/clusters/${source}`);
    await page.getByRole('alert').getByText('cluster_not_found').waitFor();
    await page.goto(`${tidemark.stack.url}/plans`);
    await isLoaded(page);
    expect(await page.getByRole('heading', { name: 'Strategies for labels' }).count()).toBe(0);
  }, 120_000);

  it('whose token ends in the middle of an edit logs in again, and loses nothing of what was typed', async () => {
    addToken(tidemark, 'ends-soon', 'admin', ['*']);
    await sleep(1_500);
    await using tab = await open(`/clusters/${late}/rules/default`, 'ends-soon');
    const { page } = tab;
    await isLoaded(page);
    await page.getByLabel('Opens').fill('04:15');
    removeToken(tidemark, 'ends-soon');
    const dialog = page.getByRole('dialog', { name: 'Please log in again' });
    await dialog.waitFor({ timeout: 60_000 });
    await dialog.getByLabel('Token').fill(tidemark.stack.token);
    await dialog.getByRole('button', { name: 'Log in' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(await page.getByLabel('Opens').inputValue()).toBe('04:15');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Saved', { exact: true }).waitFor();
    expect((await tidemark.rule(late)).period.startsWith('4:15-')).toBe(true);
  }, 120_000);

  it('who logs in as somebody who may see less finds nothing left of what was there before', async () => {
    addToken(tidemark, 'sees-all', 'admin', ['*']);
    addToken(tidemark, 'sees-one', 'viewer', [late]);
    await sleep(1_500);
    await using tab = await open(`/clusters/${source}`, 'sees-all');
    const { page } = tab;
    await isLoaded(page);
    removeToken(tidemark, 'sees-all');
    const dialog = page.getByRole('dialog', { name: 'Please log in again' });
    await dialog.waitFor({ timeout: 60_000 });
    await dialog.getByLabel('Token').fill('sees-one');
    await dialog.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('alert').getByText('cluster_not_found').waitFor();
    expect(await page.getByRole('heading', { name: 'Backups' }).count()).toBe(0);
  }, 120_000);

  it('who saves a rule that somebody else saved meanwhile is told who, and sees both', async () => {
    await using tab = await open(`/clusters/${late}/rules/default`);
    const { page } = tab;
    await isLoaded(page);
    await page.getByLabel('Opens').fill('03:33');
    await tidemark.saveRule(late, 'default', { period: '6:00-8:00' });
    await page.getByRole('button', { name: 'Save' }).click();
    const dialog = page.getByRole('dialog', { name: 'Somebody else saved this rule meanwhile' });
    await dialog.getByText('npm start').waitFor();
    expect(await dialog.getByRole('row', { name: /Window/ }).textContent()).toMatch(/6:00-8:00.*3:33-/);
    expect((await tidemark.rule(late)).period).toBe('6:00-8:00');
    await dialog.getByRole('button', { name: 'Save mine over it' }).click();
    await page.getByText('Saved', { exact: true }).waitFor();
    expect((await tidemark.rule(late)).period.startsWith('3:33-')).toBe(true);
    // The save that was refused.
    expect(tab.wrong.filter((one) => !one.includes('Failed to load resource'))).toEqual([]);
  }, 120_000);

  it.each(['/', '/backups', '/plans', '/storages', '/workers'])(
    'who is offline is told on %s how old it is, and it goes on by itself',
    async (path) => {
      await using tab = await open(path);
      const { page, context } = tab;
      await isLoaded(page);
      const told = await heading(page).textContent();
      await context.setOffline(true);
      await page.getByText(/^As of \d+ (s|min) ago; not connected\.$/).waitFor({ timeout: 30_000 });
      await page.getByText('This computer is offline.').waitFor();
      expect(await heading(page).textContent()).toMatch(`${told}, as of `);
      expect(await page.getByRole('table').count()).toBeGreaterThan(0);
      expect(await page.getByRole('alert').count()).toBe(0);
      await context.setOffline(false);
      await page.getByText('not connected').waitFor({ state: 'detached', timeout: 30_000 });
      await expect.poll(() => heading(page).textContent()).toBe(told);
    },
    120_000,
  );

  it('whose gateway hangs is told so, though nothing says that the connection is gone', async () => {
    const gateway = tidemark.stack.process('gateway');
    await using tab = await open('/');
    const { page } = tab;
    await isLoaded(page);
    gateway.kill('SIGSTOP');
    try {
      await page.getByText(/^As of \d+ s ago; not connected\.$/).waitFor({ timeout: 40_000 });
      await expect.poll(() => heading(page).textContent()).toMatch(/, as of \d/);
    } finally {
      gateway.kill('SIGCONT');
    }
    await page.getByText('not connected').waitFor({ state: 'detached', timeout: 30_000 });
    await expect.poll(() => heading(page).textContent(), { timeout: 30_000 }).not.toContain('as of');
  }, 120_000);

  it('whose backup-service hangs still sees which clusters are safe, and that what runs is not known', async () => {
    const service = tidemark.stack.process('backup-service');
    service.kill('SIGSTOP');
    try {
      await using tab = await open('/');
      const clusters = tab.page.getByRole('table', { name: 'Clusters' });
      await clusters.getByText('not known just now').first().waitFor({ timeout: 30_000 });
      await expect.poll(() => heading(tab.page).textContent()).toMatch(/cluster/);
      service.kill('SIGCONT');
      await clusters.getByText('not known just now').first().waitFor({ state: 'detached', timeout: 30_000 });
    } finally {
      service.kill('SIGCONT');
    }
  }, 120_000);

  it('whose cluster vanishes while its page is open is told so, and keeps what was known', async () => {
    const gone = await tidemark.cluster('gone');
    await using tab = await open(`/clusters/${gone}`);
    const { page } = tab;
    await isLoaded(page);
    expect((await tidemark.call('DELETE', `/clusters/${gone}`)).status).toBe(200);
    await page.getByText('The cluster is not registered any more').waitFor({ timeout: 60_000 });
    expect(await page.getByRole('button', { name: 'Back up now' }).count()).toBe(0);
    expect(await page.getByText('127.0.0.1:2379').count()).toBe(1);
  }, 120_000);

  it.each([
    '/clusters/a%2Fb',
    '/clusters/%3Cscript%3Ealert(1)%3C%2Fscript%3E',
    '/backups/..%2F..%2Fx',
    '/clusters/%F0%9F%92%BE',
    '/restores/%20',
  ])('who comes with the address %s reads what is wrong with it', async (path) => {
    await using tab = await open(path);
    await tab.page.getByRole('alert').first().waitFor();
    expect(tab.wrong.filter((one) => !one.includes('Failed to load resource'))).toEqual([]);
  });
});
