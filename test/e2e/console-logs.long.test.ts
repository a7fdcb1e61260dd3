/** A drill and a log backup in the console, in a real browser over a real Tidemark. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shoot, startBrowser, type TestBrowser } from './browser.ts';
import { confirm } from './console-shop.ts';
import { emptyCluster, type Range, rangesOf, startLoggedShop } from './logged-shop.ts';
import type { Tidemark } from './tidemark.ts';

const found = await startBrowser();
if (typeof found === 'string') console.warn(`The console is not tried: ${found}`);

describe.skipIf(typeof found === 'string')('a person who sees to it that a cluster can be brought back', () => {
  const browser = found as TestBrowser;
  let tidemark: Tidemark;
  let source: string;
  let range: Range;
  let moment: string;
  beforeAll(async () => {
    ({ tidemark, source, range, moment } = await startLoggedShop());
  }, 180_000);
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await tidemark?.[Symbol.asyncDispose]();
  });

  const open = (path: string, more = {}) =>
    browser.open(`${tidemark.stack.url}${path}`, { token: tidemark.stack.token, ...more });
  const region = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

  it('plans a drill, runs it, and sees on the pages of the cluster and of the fleet that the cluster is proven', async () => {
    const target = await emptyCluster(tidemark, '10.4.0.3:2379');
    await using tab = await open(`/clusters/${source}`);
    const { page } = tab;
    const drill = region(page, 'Drill');
    await drill.getByText('No drill is planned.').waitFor();
    await drill.getByRole('button', { name: 'Plan a drill …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Restores into the scratch cluster').fill(source);
    await confirm(page, 'Save');
    await dialog.getByRole('alert').waitFor();
    await dialog.getByLabel('Restores into the scratch cluster').fill(target);
    expect(await tab.violations()).toEqual([]);
    await confirm(page, 'Save');
    await drill.getByText('the newest good backup, on Sunday, 2:00-6:00').waitFor();
    await drill.getByRole('button', { name: 'Run a drill now …' }).click();
    await confirm(page, 'Run it');
    const runs = drill.getByRole('table', { name: 'Runs of the drill' });
    await runs.getByRole('link', { name: 'Proven' }).waitFor({ timeout: 60_000 });
    await drill.getByText(/^It was last proven /).waitFor({ timeout: 60_000 });
    await drill.scrollIntoViewIfNeeded();
    expect(await tab.violations()).toEqual([]);
    await shoot(page, 'drill');
    await drill.getByRole('button', { name: 'Remove …' }).click();
    await dialog.getByRole('textbox').fill(source);
    await confirm(page, 'Remove');
    await drill.getByText('No drill is planned.').waitFor();
    await page.getByRole('link', { name: 'Fleet' }).click();
    const row = page.getByRole('table', { name: 'Clusters' }).getByRole('row').filter({ hasText: source });
    await expect.poll(() => row.locator('td[data-name="Last proven"]').textContent()).toMatch(/ago|just now/);
    expect(tab.wrong.filter((one) => !/status of 400/.test(one))).toEqual([]);
  }, 120_000);

  it('pauses the log, sees the hole that makes, resumes it, and loses points of it only once that is said', async () => {
    await using tab = await open(`/clusters/${source}`);
    const { page } = tab;
    const log = region(page, 'Log backup');
    const dialog = page.getByRole('dialog');
    await log.getByText('All is well.').waitFor({ timeout: 30_000 });
    await log.getByRole('button', { name: 'Pause …' }).click();
    await dialog.getByLabel('Why, for the audit').fill('new disks');
    await confirm(page, 'Pause');
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(() => log.textContent(), { timeout: 30_000 }).toContain('Paused');
    const paused = await tidemark.patiently('GET', `/clusters/${source}/log-backup`);
    expect(paused.data).toMatchObject({ logBackup: { wanted: 'paused', state: 'Paused' } });
    await page.reload();
    await page.getByLabel('Moment, with its zone').fill(new Date().toISOString());
    const points = region(page, 'Recovery points');
    await points.getByText('It cannot be restored. The log backup is paused.').waitFor();
    await points.getByRole('button', { name: /, before it$/ }).waitFor();
    expect(await tab.violations()).toEqual([]);
    await log.getByRole('button', { name: 'Resume …' }).click();
    await confirm(page, 'Resume');
    await expect.poll(() => log.textContent(), { timeout: 30_000 }).toContain('Running');
    await shoot(page, 'log');

    await log.getByRole('button', { name: 'Truncate …' }).click();
    await dialog.getByLabel('All before, with its zone').fill('last week');
    await dialog.getByRole('alert').getByText('A moment is written as').waitFor();
    await dialog.getByLabel('All before, with its zone').fill(moment);
    await dialog.getByLabel(/to go on$/).fill(source);
    await confirm(page, 'Truncate');
    await dialog.getByText('could be restored no longer').waitFor();
    expect(await points.getByText(/^1 range/).count()).toBe(1);
    await dialog.getByRole('textbox').fill(source);
    await confirm(page, 'Lose these points');
    await dialog.waitFor({ state: 'detached' });
    expect((await rangesOf(tidemark, source)).filter(({ from }) => from === range.from)).toEqual([]);
    expect(tab.wrong.filter((one) => !/status of 400/.test(one))).toEqual([]);
  }, 120_000);
});
