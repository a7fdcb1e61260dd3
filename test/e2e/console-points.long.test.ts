/** Points in time in the console, in a real browser over a real Tidemark: a person finds one, and brings a cluster back to it. */
import { clusterDigests } from '@tidemark/demo-br/cluster-digests';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectCalm, shoot, startBrowser, type TestBrowser } from './browser.ts';
import { confirm, heading, isLoaded } from './console-shop.ts';
import { emptyCluster, LOGGED_PD, type Range, startLoggedShop } from './logged-shop.ts';
import type { Tidemark } from './tidemark.ts';

const found = await startBrowser();
if (typeof found === 'string') console.warn(`The console is not tried: ${found}`);

describe.skipIf(typeof found === 'string')('a person who needs a moment of a cluster', () => {
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

  it('points at it on a line, walks by keys, types it, and is told why another one cannot be had', async () => {
    await using tab = await open(`/clusters/${source}`, { timezoneId: 'Asia/Kolkata' });
    const { page } = tab;
    await isLoaded(page);
    const line = page.getByRole('slider', { name: 'Moment to restore' });
    const text = page.getByLabel('Moment, with its zone');
    const points = region(page, 'Recovery points');
    await text.fill(moment);
    await points.getByText('It can be restored, by log 1.').waitFor();
    await line.focus();
    for (const [key, ms] of [
      ['ArrowRight', 1_000],
      ['ArrowLeft', -1_000],
      ['ArrowUp', 60_000],
      ['ArrowDown', -60_000],
    ] as const) {
      const before = Date.parse(await text.inputValue());
      await page.keyboard.press(key);
      await expect.poll(async () => Date.parse(await text.inputValue()) - before).not.toBe(0);
      // Neither behind now nor before all that is kept.
      expect(Math.abs(Date.parse(await text.inputValue()) - before)).toBeLessThanOrEqual(Math.abs(ms));
    }
    await text.fill(moment);
    await expect.poll(() => line.getAttribute('aria-valuetext')).toMatch(/GMT\+5:30: It can be restored, by log 1\.$/);

    await text.fill(moment.replace('Z', ''));
    await points.getByRole('alert').getByText('+05:30 of your zone.').waitFor();
    await text.fill(new Date(Date.now() + 86_400_000).toISOString());
    await points.getByText('It cannot be restored. It is in the future.').waitFor();
    await text.fill(new Date(Date.parse(range.from) - 3_600_000).toISOString());
    await points.getByText('It cannot be restored. Nothing is kept that is so old.').waitFor();
    await points.getByRole('button', { name: /, after it$/ }).click();
    await points.getByRole('link', { name: /^Restore / }).waitFor();

    await page.getByRole('button', { name: '1 hour' }).click();
    const typed = await text.inputValue();
    await line.click();
    await expect.poll(() => text.inputValue()).not.toBe(typed);
    await text.fill(moment);
    await points.getByText(/^1 range/).click();
    expect(await tab.violations()).toEqual([]);
    await line.scrollIntoViewIfNeeded();
    await shoot(page, 'points');
    await page.setViewportSize({ width: 360, height: 800 });
    expect(Number(await page.evaluate('document.documentElement.scrollWidth'))).toBeLessThanOrEqual(360);
    await points.getByRole('link', { name: 'Restore to this moment …' }).click();
    await page.waitForURL((url) => url.searchParams.get('at') === moment && url.searchParams.get('of') === source);
    expectCalm(tab);
  }, 60_000);

  it('restores to it: is told beside the field what is wrong, sees both phases, and has just the rows of that moment', async () => {
    const pd = '10.4.0.2:2379';
    const target = await emptyCluster(tidemark, pd);
    await using tab = await open(`/restores/new?of=${source}&target=${target}`);
    const { page } = tab;
    const text = page.getByLabel('Moment, with its zone');
    const show = page.getByRole('button', { name: 'Show the plan' });
    await text.fill(moment.replace('Z', ''));
    await show.click();
    await page
      .getByRole('alert')
      .getByText(/^It has no zone: /)
      .waitFor();
    await text.fill(new Date(Date.parse(range.from) - 1_000).toISOString());
    await show.click();
    await page
      .getByRole('alert')
      .getByText(/cannot be restored: .*What can be restored of cluster/)
      .waitFor();
    await text.fill(moment);
    await show.click();
    const plan = region(page, 'The plan');
    await plan.getByText(`(${moment})`).waitFor();
    await plan.getByRole('link', { name: source }).waitFor();
    expect(await tab.violations()).toEqual([]);
    await shoot(page, 'point-plan');
    await page.getByRole('button', { name: 'Restore …' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill(target);
    await confirm(page, 'Restore');
    await page.waitForURL(/\/restores\/[\w-]{22}$/);
    const phases = page.getByRole('list', { name: 'Phases' });
    await expect.poll(() => phases.getByRole('listitem').count()).toBe(5);
    await heading(page).getByText('Succeeded').waitFor({ timeout: 60_000 });
    await phases.getByText('Brought to its moment by the log').waitFor();
    await page.getByText(`(${moment})`).waitFor();
    expect(await clusterDigests(tidemark.demoCluster(pd))).toEqual(
      await clusterDigests(tidemark.demoCluster(LOGGED_PD), BigInt(Date.parse(moment)) << 18n),
    );
    // Of what was refused the browser itself tells.
    expect(tab.wrong.filter((one) => !one.includes('status of 400'))).toEqual([]);
  }, 120_000);
});
